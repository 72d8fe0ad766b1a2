"""The formats that are held to bounds: whole files, how they are changed and opened, and how much that may take."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from random import Random
from typing import Any, Callable, NamedTuple

from . import changes, openings, seeds
from .bounded import USUAL, Bounds


class Format(NamedTuple):
    """A format's file name; how many files the test suite makes of it; what it wants installed besides."""

    file: str
    seeds: Callable[[], list[bytes]]
    change: changes.Change
    opening: Callable[[Path, Path, bool], Any]
    count: int = 200
    needs: tuple[str, ...] = ()
    #: one file in so many has more done with it
    seldom: int = 10
    bounds: Bounds = USUAL


#: A small picture may say that it is large, and weights that they are. Pillow, torch and onnxruntime make room for what
#: a file says before they fill any.
LARGE = Bounds(cpu=20.0, memory=4 * 10**9, chatter="tempfile.tif: ", claims=True)
#: So do some releases of HDF5, of chunks that are not there.
CHUNKS = USUAL._replace(claims=True)

FORMATS: dict[str, Format] = {
    "prototxt": Format("net.prototxt", seeds.prototxt, changes.of_words, openings.prototxt, needs=("torch",)),
    "caffemodel": Format("net.caffemodel", seeds.caffemodel, changes.of_message, openings.caffemodel, needs=("torch",)),
    "caffemodel.h5": Format(
        "net.caffemodel.h5", seeds.caffemodel_h5, changes.of_hdf5, openings.caffemodel, needs=("torch",), bounds=CHUNKS
    ),
    "binaryproto": Format("mean.binaryproto", seeds.binaryproto, changes.of_message, openings.mean, needs=("torch",)),
    "npy": Format("mean.npy", seeds.npy, changes.of_npy, openings.mean, needs=("torch",)),
    "result": Format("map.h5", seeds.result, changes.of_sealed, openings.result, bounds=CHUNKS),
    "sampler": Format("sampler.h5", seeds.sampler, changes.of_sealed, openings.sampler, bounds=CHUNKS),
    "tiles": Format("map.tiles", seeds.tiles, changes.of_tiles, openings.tiles),
    "image": Format(
        "picture", seeds.image, changes.of_png, openings.image, count=400, needs=("torch",), seldom=20, bounds=LARGE
    ),
    "labels": Format("labels.txt", seeds.labels, changes.of_words, openings.labels, needs=("torch",), seldom=25),
    "mask": Format("mask.png", seeds.mask, changes.of_png, openings.mask, bounds=LARGE),
    "segments": Format("segments.png", lambda: seeds.segments()[2:], changes.of_png, openings.segments, bounds=LARGE),
    "segments.npy": Format("segments.npy", lambda: seeds.segments()[:2], changes.of_npy, openings.segments),
    "onnx": Format(
        "net.onnx", seeds.onnx, changes.of_message, openings.onnx, needs=("onnx", "onnxruntime", "torch"), bounds=LARGE
    ),
    "safetensors": Format(
        "net.safetensors", seeds.safetensors, changes.of_safetensors, openings.weights, needs=("torch", "safetensors")
    ),
    "pth": Format("net.pth", seeds.pth, changes.of_bytes, openings.weights, needs=("torch",), bounds=LARGE),
    "archive": Format("archive.tar", seeds.archive, changes.of_bytes, openings.archive),
    "manifest": Format("manifest.toml", seeds.manifest, changes.of_words, openings.manifest),
}


@functools.lru_cache(maxsize=None)
def whole(name: str) -> list[bytes]:
    """The whole files of a format."""
    return FORMATS[name].seeds()


def content(name: str, number: int) -> bytes:
    """A file by its number: the first ones are whole, all others changed, each number always in the same way."""
    files = whole(name)
    if number < len(files):
        return files[number]
    draw = Random(f"{name} {number}")
    return FORMATS[name].change(draw.choice(files), draw, files)


def opened(folder: Path, name: str, number: int) -> Any:
    """Attack: a format's file of a number, opened as users open it."""
    form = FORMATS[name]
    path = folder / form.file
    path.write_bytes(content(name, number))
    return form.opening(path, folder, number % form.seldom == 0)


def warm(folder: Path, name: str) -> None:
    """Make the whole files of a format, and open them, so that what that imports is there for the others."""
    for number, _ in enumerate(whole(name)):
        with contextlib.suppress(Exception):
            opened(folder, name, number)
