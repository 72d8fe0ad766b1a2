"""Modules of ``reproduce``, and a manifest of a net of a few hundred weights on images of 24 x 24."""

from __future__ import annotations

import hashlib
import importlib
import os
import shlex
import sys
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from helpers.engines import ENGINES
from helpers.places import ROOT

from predicdiff.nets.fetching import door, manifest

MANIFEST = """
[tiny]
title = "a tiny net"
kind = "caffe"
prototxt = "tiny.prototxt"
scores = "fc"
output = "prob"
labels = "labels.txt"
training_instances = 77
licence = "none"
citation = "nobody"
preprocessing = {{ view = {{ mode = "warp", size = 24 }}, channels = "bgr", mean = [104.0, 117.0, 123.0] }}

[[tiny.weights]]
file = "tiny.caffemodel"
sha1 = "{sha1}"
size = {size}
"""


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take the engine that is installed, Caffe where there is no torch."""
    monkeypatch.setenv("PREDICDIFF_ENGINE", ENGINES[0] if ENGINES else "torch")


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """A module of ``reproduce``, which is no part of the package."""
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"reproduce.{name}")


@pytest.fixture
def caffe_python() -> list[str]:
    """The command of a Python with pycaffe: ``PREDICDIFF_CAFFE_PYTHON``'s, or this one."""
    named = os.environ.get("PREDICDIFF_CAFFE_PYTHON")
    if named is None and "caffe" not in ENGINES:
        pytest.skip("no pycaffe here, and PREDICDIFF_CAFFE_PYTHON names no Python with it")
    return shlex.split(named) if named else [sys.executable]


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path) -> Iterator[Path]:
    """A folder to work in, where the manifest has the tiny net alone; its weights lie in ``cache/nets``."""
    weights, models, nets = (data / "tiny_v1.caffemodel").read_bytes(), tmp_path / "models", tmp_path / "cache" / "nets"
    models.mkdir()
    nets.mkdir(parents=True)
    (nets / "tiny.caffemodel").write_bytes(weights)
    (models / "tiny.prototxt").write_bytes((data / "tiny_v1.prototxt").read_bytes())
    (models / "labels.txt").write_text("cat\ndog\ncow\nhen\npig\n")
    sha1 = hashlib.sha1(weights).hexdigest()
    (models / "manifest.toml").write_text(MANIFEST.format(sha1=sha1, size=len(weights)))
    monkeypatch.setenv("PREDICDIFF_CACHE", str(tmp_path / "cache"))
    for part in (manifest, door):
        monkeypatch.setattr(part, "models_dir", lambda: models)
    manifest.manifest.cache_clear()
    yield tmp_path
    manifest.manifest.cache_clear()
