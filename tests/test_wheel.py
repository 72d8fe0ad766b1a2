"""A wheel is built, installed into an environment of its own without torch, and tried there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

import pytest
from helpers.places import MODELS, PACKAGE, ROOT
from packaging.version import Version

from predicdiff._version import __version__

#: What builds a wheel, and installs it for another Python.
TOOLS = {"setuptools": "64", "pip": "22.3"}


def there(name: str, least: str) -> bool:
    """Whether a package is installed, as new as this."""
    return any(Version(one.version) >= Version(least) for one in metadata.distributions(name=name))


pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(not all(there(*tool) for tool in TOOLS.items()), reason=f"needs {TOOLS}, or newer ones"),
]
#: What of these tests' environment the new one does not see: torch, and this checkout.
HIDDEN = ("*.pth", "__editable__*", "efficientnet*", "predicdiff*", "torch*")
TRIED = """
import json, pathlib, sys
import predicdiff
from predicdiff.nets.caffe.prototxt import read_prototxt
from predicdiff.nets.caffe.resolved import resolve
models = pathlib.Path(predicdiff.__file__).parent / "models"
classes = {path.stem: resolve(read_prototxt(path)).blobs["prob"][0] for path in models.glob("*.prototxt")}
print(json.dumps([predicdiff.__file__, predicdiff.__version__, classes]))
try:
    import torch
except ImportError:
    pass
else:
    sys.exit("torch is here")
"""


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints, away from the checkout."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, since a build leaves files behind."""
    work = tmp_path_factory.mktemp("wheel")
    source = work / "source"
    unwanted = shutil.ignore_patterns("__pycache__")
    for folder in ("models", "predicdiff"):
        shutil.copytree(ROOT / folder, source / folder, ignore=unwanted)
    for name in ("LICENSE", "README.md", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, source)
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    run(*pip, "--wheel-dir", work, source, cwd=work)
    (built,) = work.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel in it, and links to what the wheel needs."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(place, symlinks=True)
    needs = place / "needs"
    needs.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not any(fnmatch(entry.name, pattern) for pattern in HIDDEN):
            (needs / entry.name).symlink_to(entry)
    pip = (sys.executable, "-m", "pip", "--python", place / "bin" / "python", "install", "--quiet")
    run(*pip, "--no-deps", "--no-index", wheel, cwd=place)
    (library,) = place.glob("lib/python*/site-packages")
    (library / "needs.pth").write_text(f"{needs}\n")
    return place


def test_everything_is_inside(wheel: Path) -> None:
    code = {path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*.py")}
    models = {f"predicdiff/models/{path.name}" for path in MODELS.iterdir()}
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert inside == code | models | {"predicdiff/py.typed"}


def test_it_works_without_torch(environment: Path) -> None:
    file, version, classes = json.loads(run(environment / "bin" / "python", "-c", TRIED, cwd=environment))
    assert environment in Path(file).parents
    assert version == __version__
    assert classes == {path.stem: 1000 for path in MODELS.glob("*.prototxt")}


def test_its_command_is_there(environment: Path) -> None:
    command = environment / "bin" / "predicdiff"
    assert "predicdiff explain" in run(command, "--help", cwd=environment)
    assert "googlenet" in run(command, "nets", cwd=environment)
