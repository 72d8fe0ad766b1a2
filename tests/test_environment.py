"""environment.yml, line by line: no channel is asked, so this is all that holds it together."""

from __future__ import annotations

import re
from typing import Iterator, NamedTuple

import pytest
from helpers.packaging_rules import ROOT, pythons, required
from packaging.version import Version

NAME = r"[a-z0-9][a-z0-9_.-]*"
CONDA = re.compile(rf"({NAME})=([0-9][0-9a-z.]*|\*)(?:=([A-Za-z0-9_*]+))?")
PIP = re.compile(rf"({NAME})==([0-9][0-9a-z.]*)")
#: conda-forge's names of what pyproject.toml calls otherwise
ALIASES = {"matplotlib-base": "matplotlib"}


class Spec(NamedTuple):
    """One pinned package, and where it comes from."""

    name: str
    version: str
    build: str
    source: str


def specs() -> Iterator[Spec]:
    """All of the file's; an error for a line that is none."""
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    begin, end = lines.index("dependencies:"), lines.index("variables:")
    for line in lines[begin + 1 : end]:
        if line == "  - pip:":
            continue
        item = re.fullmatch(r"( +)- (.*)", line)
        assert item, f"no list item: {line!r}"
        source, text = ("conda" if len(item[1]) == 2 else "pip"), item[2]
        if (source, text) == ("pip", "-e ."):
            yield Spec("predicdiff", "", "", source)
            continue
        spec = (CONDA if source == "conda" else PIP).fullmatch(text)
        assert spec, f"not pinned: {text!r}"
        name, version, build = (*spec.groups(), "")[:3]
        yield Spec(ALIASES.get(name, name), version, build or "", source)


def test_every_line_is_a_pinned_package() -> None:
    listed = list(specs())
    names = [spec.name for spec in listed]
    assert len(listed) > 15
    assert len(set(names)) == len(names)
    assert [spec.name for spec in listed if spec.version == "*"] == ["libblas"]


def test_caffe_is_there_and_predicdiff_comes_last() -> None:
    by_name = {spec.name: spec for spec in specs()}
    assert (by_name["caffe"].version, by_name["caffe"].source) == ("1.0", "conda")
    assert list(by_name)[-1] == "predicdiff"


def test_python_is_supported() -> None:
    (python,) = (spec for spec in specs() if spec.name == "python")
    assert Version(python.version) in pythons()


@pytest.mark.parametrize("name", sorted(required("3.8")))
def test_dependencies_are_satisfied(name: str) -> None:
    (pinned,) = (spec for spec in specs() if spec.name == name)
    assert Version(pinned.version) in required("3.8")[name]


def test_protobuf_is_of_one_version_with_its_library() -> None:
    versions = {spec.name: spec.version for spec in specs()}
    assert versions["protobuf"] == versions["libprotobuf"]


def test_it_only_asks_conda_forge() -> None:
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    (channels,) = re.findall(r"^channels:\n((?:  - .*\n)+)", text, flags=re.MULTILINE)
    assert re.findall(r"- (.*)", channels) == ["conda-forge", "nodefaults"]
