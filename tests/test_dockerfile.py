"""What can be told of the Dockerfile without building it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import NamedTuple

import pytest
from helpers.packaging_rules import ROOT, pythons, required
from packaging.version import Version

#: Debian's names of Python packages.
DEBIAN = {"pillow": "pil", "scikit-image": "skimage"}
TARGETS = ("cpu", "test", "torch", "cuda")


class Stage(NamedTuple):
    """One ``FROM … AS name`` and the instructions that follow."""

    name: str
    base: str
    steps: list[tuple[str, str]]

    def last(self, keyword: str) -> str | None:
        """The last value of an instruction, None if there is none."""
        return next((text for word, text in reversed(self.steps) if word == keyword), None)


def stages() -> dict[str, Stage]:
    """By name, in order; comments dropped and continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    by_name: dict[str, Stage] = {}
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if not line:
            continue
        keyword, rest = line.split(None, 1)
        if keyword == "FROM":
            base, name = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()  # type: ignore[union-attr]
            by_name[name] = Stage(name, base, [])
        elif by_name:
            list(by_name.values())[-1].steps.append((keyword, rest))
    return by_name


def lineage(name: str) -> list[Stage]:
    """A stage, what it stands on, and so on."""
    by_name = stages()
    line = [by_name[name]]
    while line[-1].base in by_name:
        line.append(by_name[line[-1].base])
    return line


def inherited(name: str, keyword: str) -> str | None:
    """The value of an instruction in force at a stage's end."""
    return next((value for stage in lineage(name) if (value := stage.last(keyword)) is not None), None)


def commands(stage: Stage) -> list[str]:
    """All shell commands."""
    return [part.strip() for word, text in stage.steps if word == "RUN" for part in text.split("&&")]


def packages(name: str) -> dict[str, str]:
    """Debian's packages that are named, with their versions, of a stage and what it stands on."""
    versions = {}
    for stage in lineage(name):
        for command in commands(stage):
            if command.startswith("apt-get install"):
                words = [word for word in command.split()[2:] if not word.startswith("-")]
                versions.update(word.split("=", 1) for word in words)
    return versions


def upstream(version: str) -> Version:
    """Of a Debian version, what its authors call it: no epoch, repackaging or revision."""
    return Version(re.split(r"[-+~]", version.split(":")[-1])[0])


def test_targets_are_there_and_cuda_is_the_default() -> None:
    assert set(TARGETS) <= set(stages())
    assert list(stages())[-1] == "cuda"


@pytest.mark.parametrize("name", list(stages()))
def test_all_that_is_installed_is_pinned(name: str) -> None:
    for command in commands(stages()[name]):
        words = command.split()
        if command.startswith("apt-get install"):
            named = [word for word in words[2:] if not word.startswith("-")]
            assert "--no-install-recommends" in words
            assert [word for word in named if not re.fullmatch(r"[a-z0-9.+-]+=\S+", word)] == []
        if command.startswith("apt-get source"):
            assert re.fullmatch(r"apt-get source [a-z]+=\S+", command)
        if command.startswith("python3 -m pip install"):
            assert "--constraint" in words or "--no-index" in words
        if command.startswith("python3 -m pip wheel"):
            assert "--no-build-isolation" in words


def test_what_pip_installs_by_name_is_in_the_constraints() -> None:
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"setuptools", "tomli", "hypothesis", "pytest"} <= pinned


@pytest.mark.parametrize("name", ["cpu", "cuda"])
@pytest.mark.parametrize("package", sorted(set(required("3.9")) - {"tomli"}))
def test_debian_satisfies_the_dependencies(name: str, package: str) -> None:
    version = packages(name)[f"python3-{DEBIAN.get(package, package)}"]
    assert upstream(version) in required("3.9")[package]


@pytest.mark.parametrize("name", TARGETS)
def test_nobody_is_root(name: str) -> None:
    assert inherited(name, "USER") == "1000"


@pytest.mark.parametrize("name", ["cpu", "torch", "cuda"])
def test_it_is_the_program_and_says_what_it_does(name: str) -> None:
    assert json.loads(inherited(name, "ENTRYPOINT") or "") == ["predicdiff"]
    assert json.loads(inherited(name, "CMD") or "") == ["--help"]
    assert inherited(name, "WORKDIR") == "/"  # results go below out/, that is to /out
    labels = " ".join(text for stage in lineage(name) for word, text in stage.steps if word == "LABEL")
    told = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', labels))
    assert told["licenses"] == "MIT"
    assert told["version"] == "${VERSION}"
    assert {"title", "description", "source"} <= set(told)


@pytest.mark.parametrize(("name", "engine"), [("cpu", "caffe"), ("cuda", "caffe"), ("torch", "torch")])
def test_the_engine_is_the_image_s(name: str, engine: str) -> None:
    environment = " ".join(text for stage in lineage(name) for word, text in stage.steps if word == "ENV")
    assert re.findall(r"PREDICDIFF_ENGINE=(\w+)", environment) == [engine]
    assert "PREDICDIFF_CACHE=/cache" in environment


def test_cuda_has_its_own_caffe_alone() -> None:
    assert not {"libcaffe1", "python3-caffe", "python3-caffe-cpu"} & set(packages("cuda"))
    assert ("COPY", "--from=caffe-cuda /install /") in stages()["cuda"].steps
    (source,) = (command for command in commands(stages()["caffe-cuda"]) if command.startswith("apt-get source"))
    assert packages("cpu")["python3-caffe"].startswith(re.findall(r"caffe=(\S+)", source)[0])


def test_compiled_for_gpus_of_many_years() -> None:
    (cmake,) = (command for command in commands(stages()["caffe-cuda"]) if command.startswith("cmake"))
    assert '"-DCUDA_ARCH_BIN=50 60 70 75 80 86" -DCUDA_ARCH_PTX=86' in cmake


def test_the_python_of_torch_is_supported() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (version,) = re.findall(r"^ARG PYTHON_BASE=python:([0-9.]+)-", text, flags=re.MULTILINE)
    assert Version(version) in pythons()


def test_the_context_holds_what_is_copied_and_little_else() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    for stage in stages().values():
        for word, text in stage.steps:
            if word == "COPY" and not text.startswith("--"):
                assert {f"!{name}" for name in text.split()[:-1]} <= set(lines)


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(["hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
