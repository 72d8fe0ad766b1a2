"""Caffe in a process of its own, held against Caffe's recorded values; and the messages to it."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import pytest

from predicdiff.errors import DependencyError, PredicdiffError
from predicdiff.nets.caffe.caffemodel import read_caffemodel


@pytest.fixture
def there(module: Callable[[str], Any]) -> Any:
    return module("timing_caffe")


@pytest.fixture
def pipe() -> Iterator[tuple[Any, Any]]:
    source, sink = os.pipe()
    with os.fdopen(source, "rb") as reading, os.fdopen(sink, "wb") as writing:
        yield reading, writing


def test_messages_keep_words_and_arrays(there: Any, pipe: tuple[Any, Any]) -> None:
    source, sink = pipe
    arrays = [np.arange(12.0).reshape(3, 4).T, np.int64([[1, -2]]), np.empty((0, 2), np.float32)]
    there.send(sink, {"blob": "größe"}, arrays)
    there.send(sink, {"more": [1, None]})
    what, received = there.receive(source)
    assert what == {"blob": "größe"}
    for array, wanted in zip(received, arrays):
        assert (array.shape, array.dtype) == (wanted.shape, wanted.dtype)
        np.testing.assert_array_equal(array, wanted)
    assert len(received) == 3
    assert there.receive(source) == ({"more": [1, None]}, [])


@pytest.mark.parametrize("kept", [0, 5, -1])
def test_a_message_that_ends_too_soon_is_none(kept: int, there: Any, tmp_path: Path) -> None:
    with (tmp_path / "message").open("wb") as file:
        there.send(file, {}, [np.zeros(3)])
    (tmp_path / "message").write_bytes((tmp_path / "message").read_bytes()[:kept])
    with (tmp_path / "message").open("rb") as file, pytest.raises(EOFError, match=r"^$"):
        there.receive(file)


def test_values_are_those_that_caffe_itself_gave(there: Any, caffe_python: list[str], data: Path) -> None:
    """The recorded images, each as the whole of one window's draws."""
    prototxt, weights = (data / "tiny_v1.prototxt").read_text(), read_caffemodel(data / "tiny_v1.caffemodel")
    with np.load(data / "tiny_caffe.npz") as recorded:
        scores = recorded["blob:fc"]
        images = recorded["images"][: len(scores)]
    with there.CaffeProcess(caffe_python, prototxt, weights, "cpu") as caffe:
        assert set(caffe.about) == {"caffe", "python", "numpy", "device"}
        origins = np.zeros((len(images), 2), int)
        for _ in range(2):
            values = caffe.evaluate(np.zeros(images.shape[1:]), origins, images[:, None], "fc", [3, 0])
            np.testing.assert_allclose(values[:, 0], scores[:, [3, 0]], atol=1e-5 * np.abs(scores).max())
        with pytest.raises(PredicdiffError, match="over the border"):
            caffe.evaluate(images[0], origins[:1] + 1, images[:1, None], "fc", [0])
    with pytest.raises(DependencyError, match="ended without an answer"):
        caffe.evaluate(images[0], origins, images[:, None], "fc", [0])


def test_a_python_without_caffe_says_so(there: Any, data: Path) -> None:
    if importlib.util.find_spec("caffe"):
        pytest.skip("this Python has pycaffe")
    with pytest.raises(PredicdiffError, match=r"python.*: pycaffe is not installed for this Python"):
        there.CaffeProcess([sys.executable], (data / "tiny_v1.prototxt").read_text(), {}, "cpu")


def test_what_is_no_python_is_told(there: Any) -> None:
    with pytest.raises(DependencyError, match=r"no-such-python: cannot be started \(No such file"):
        there.CaffeProcess(["no-such-python"], "", {}, "cpu")
    with pytest.raises(DependencyError, match="false: ended without an answer, status 1"):
        there.CaffeProcess(["false"], "", {}, "cpu")
