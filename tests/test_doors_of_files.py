"""Every door by which a user's file comes in refuses what is no file, and waits for nobody who might write to it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from PIL import Image

import predicdiff as pd
from predicdiff.comparing.compare import load as load_either
from predicdiff.errors import InputWarning, PredicdiffError
from predicdiff.masks import load_mask
from predicdiff.nets.caffe.caffemodel import read_caffemodel, read_mean
from predicdiff.nets.caffe.prototxt import read_prototxt
from predicdiff.nets.labels import load_labels
from predicdiff.samplers.corpus import read_folder
from predicdiff.samplers.registry import load_sampler
from predicdiff.shapes.labels import read_segments

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="this system has no pipes with a name")

#: How a file of each kind is opened, and the end of its name.
DOORS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "an image": (".png", pd.load_image),
    "DICOM": (".dcm", pd.load_image),
    "a mask": (".png", load_mask),
    "segments of a picture": (".png", read_segments),
    "segments of numbers": (".npy", read_segments),
    "labels": (".txt", load_labels),
    "a picture to compare": (".png", load_either),
    "a result to compare": (".h5", load_either),
    "a result": (".h5", pd.Explanation.load),
    "a sampler": (".h5", load_sampler),
    "a prototxt": (".prototxt", read_prototxt),
    "a caffemodel": (".caffemodel", read_caffemodel),
    "a caffemodel of HDF5": (".caffemodel.h5", read_caffemodel),
    "a mean": (".binaryproto", read_mean),
    "a mean of numbers": (".npy", read_mean),
    "a Python file": (".py", lambda path: pd.load_net(f"{path}:net")),
    "an exported program": (".pt2", pd.load_net),
    "an ONNX file": (".onnx", pd.load_net),
    "a folder's net": (".safetensors", lambda path: pd.load_net(path.parent)),
}
NEEDS = {".pt2": "torch", ".py": "torch", ".safetensors": "torch", ".onnx": "onnx"}


@pytest.fixture(autouse=True)
def deadline() -> Iterator[None]:
    """An error where a door waits, in place of a suite that never ends."""

    def late(*_: Any) -> None:
        raise TimeoutError("it waits for somebody to write")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def refuses(path: Path, call: Callable[[Path], Any]) -> None:
    os.mkfifo(path)
    with pytest.raises(PredicdiffError, match=rf"{path.name}: a pipe, want the path of a file\."):
        call(path)


@pytest.mark.parametrize("kind", DOORS)
def test_a_pipe_is_refused_in_the_place_of(tmp_path: Path, kind: str) -> None:
    suffix, call = DOORS[kind]
    if suffix in NEEDS:
        pytest.importorskip(NEEDS[suffix])
    refuses(tmp_path / f"pipe{suffix}", call)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_pipe_is_refused_in_the_place_of_a_modules_weights(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("torch")
    from predicdiff.nets.modules.weight_files import read_state

    refuses(tmp_path / f"pipe{suffix}", read_state)


def test_a_pipe_among_a_corpus_images_is_skipped_and_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "c.png")
    for name in ("a.png", "b.png"):
        Image.new("RGB", (2, 2)).save(tmp_path / name)
    with pytest.warns(InputWarning, match=r"1 of 3 files skipped \(c\.png: a pipe, want the path of a file\)"):
        _, names, _ = read_folder(tmp_path, lambda image: image)
    assert names == ["a.png", "b.png"]
