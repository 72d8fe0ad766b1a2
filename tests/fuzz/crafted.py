"""Files made on purpose: by name, what makes each and what opens it."""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any, Callable, NamedTuple

import h5py
import numpy as np
from helpers.caffe_bytes import floats, piece, shape, v2
from helpers.places import DATA

from . import openings
from .formats import FORMATS
from .sealing import SEAL, sealed

INPUT = 'input: "data" input_shape { dim: 1 dim: 3 dim: 24 dim: 24 }\n'
POOLED = (
    'layer { name: "p" type: "Pooling" bottom: "BOTTOM" top: "p" pooling_param { pool: AVE global_pooling: true } }\n'
)
SOFTMAX = 'layer { name: "prob" type: "Softmax" bottom: "BOTTOM" top: "prob" }\n'
#: A file of the machine, which another must not show.
FOREIGN = Path("/etc/passwd")


class Crafted(NamedTuple):
    """What makes the file of a case, and what opens it, with the folder that it lies in."""

    make: Callable[[Path], object]
    file: str
    opening: Callable[[Path, Path], Any]
    #: whether nothing may come of it but a sentence
    refused: bool = False


def attack(folder: Path, name: str) -> Any:
    """Attack: a case by its name."""
    case = CASES[name]
    case.make(folder / case.file)
    return case.opening(folder / case.file, folder)


def fifo(folder: Path, name: str) -> Any:
    """Attack: a pipe that nobody writes to, in the place of a format's file."""
    path = folder / FORMATS[name].file
    os.mkfifo(path)
    return FORMATS[name].opening(path, folder, False)


def _layers(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(INPUT + text)


def _concat20() -> str:
    """Each layer twice as large as the one before."""
    bottoms = ["data", *(f"b{i}" for i in range(19))]
    layers = (
        f'layer {{ name: "l{i}" type: "Concat" bottom: "{bottom}" bottom: "{bottom}" top: "b{i}" }}\n'
        for i, bottom in enumerate(bottoms)
    )
    return "".join(layers) + POOLED.replace("BOTTOM", "b19") + SOFTMAX.replace("BOTTOM", "p")


def _pooling(numbers: str) -> str:
    return f'layer {{ name: "n" type: "Pooling" bottom: "data" top: "n" pooling_param {{ pool: AVE {numbers} }} }}\n'


def _split() -> str:
    tops = " ".join(f'top: "s{i}"' for i in range(60_000))
    return f'layer {{ name: "s" type: "Split" bottom: "data" {tops} }}\n' + SOFTMAX.replace("BOTTOM", "s0")


def _explained(path: Path, folder: Path) -> Any:
    (folder / "any.caffemodel").write_bytes(v2("x", shape([1]) + floats([1.0])))
    return openings.command_line(
        "explain", _photograph(folder), "--net", path, "--weights",
        folder / "any.caffemodel", "--mean", "0,0,0", "--image-size", 24, "--memory", "1GB", "--sampler", "grey",
        "--window", 12, "--stride", 12, "-o", folder / "out" / "map.h5",
    )  # fmt: skip


def _photograph(folder: Path) -> Path:
    from PIL import Image

    Image.fromarray(openings.PICTURE).save(folder / "photograph.bmp")
    return folder / "photograph.bmp"


def _opened(name: str, *, seldom: bool = False) -> Callable[[Path, Path], Any]:
    return lambda path, folder: FORMATS[name].opening(path, folder, seldom)


def _predicted(path: Path, folder: Path) -> Any:
    return openings.image(path, folder, seldom=True)


def _hdf5(change: Callable[[h5py.File], object]) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        with h5py.File(path, "w") as file:
            change(file)

    return make


def _unallocated(file: h5py.File) -> None:
    """Twelve times a gigabyte, each within what a file of a megabyte could hold packed."""
    file["pad"] = np.random.default_rng(0).integers(0, 256, 1_100_000, np.uint8)
    for layer in range(12):
        file.create_dataset(f"data/l{layer}/0", (250_000_000,), "f4", chunks=(1_000_000,))


def _groups(file: h5py.File) -> None:
    group = file.create_group("data")
    for _ in range(6000):
        group = group.create_group("g")
    group["0"] = np.ones(3, "f4")


def _external(file: h5py.File) -> None:
    size = FOREIGN.stat().st_size
    file.create_dataset("data/conv1/0", (size,), "u1", external=[(str(FOREIGN), 0, size)])


def _external_fifo(path: Path) -> None:
    os.mkfifo(path.parent / "fifo")
    with h5py.File(path, "w") as file:
        file.create_dataset("data/conv1/0", (4,), "u1", external=[(str(path.parent / "fifo"), 0, 4)])


def _result(change: Callable[[h5py.File], object]) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        buffer = io.BytesIO((DATA / "first_wave" / "tiny_on_image.h5").read_bytes().rsplit(SEAL, 1)[0])
        with h5py.File(buffer, "r+") as file:
            change(file)
        path.write_bytes(sealed(buffer.getvalue()))

    return make


def _text(name: str, value: Any) -> Callable[[h5py.File], object]:
    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, data=json.dumps(value), dtype=h5py.string_dtype())

    return change


def _named(name: str) -> Callable[[h5py.File], object]:
    return _text("targets", [{"blob": "prob", "unit": [0], "name": name, "against": None, "source": None}])


def _foreign_image(file: h5py.File) -> None:
    count = FOREIGN.stat().st_size // 3
    del file["image"]
    file.create_dataset("image", (1, count, 3), "u1", external=[(str(FOREIGN), 0, count * 3)])


def _bomb(file: h5py.File) -> None:
    del file["relevance"]
    file.create_dataset("relevance", (3, 20_000, 20_000), "f8", chunks=(1, 1000, 1000))


def _npy_of_true(path: Path) -> None:
    np.save(path, np.zeros(1, "f4"))
    path.write_bytes(path.read_bytes().replace(b"(1,)", b"(True,)", 1).replace(b"   \n", b"\n", 1))


def _png(side: int, depth: int, colour: int, bytes_a_pixel: int) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        packer, row = zlib.compressobj(1), bytes(1 + bytes_a_pixel * side)
        body = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()
        head = struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0)
        chunks = ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
        framed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(framed))

    return make


def _of(name: str, make: Callable[[Path], object], *, refused: bool = False, seldom: bool = False) -> Crafted:
    return Crafted(make, FORMATS[name].file, _opened(name, seldom=seldom), refused)


def _of_result(change: Callable[[h5py.File], object], *, refused: bool = False) -> Crafted:
    return _of("result", _result(change), refused=refused, seldom=True)


def _of_labels(label: str) -> Crafted:
    return _of("labels", lambda path: path.write_text("\n".join([label] * 5) + "\n", encoding="utf-8"), seldom=True)


CASES: dict[str, Crafted] = {
    "concat20": Crafted(_layers(_concat20()), "net.prototxt", _explained, refused=True),
    "poolpad": Crafted(
        _layers(
            _pooling("kernel_size: 20001 pad: 20000 stride: 20000")
            + POOLED.replace("BOTTOM", "n")
            + SOFTMAX.replace("BOTTOM", "p")
        ),
        "net.prototxt",
        _explained,
    ),
    "overflow": _of(
        "prototxt", _layers(_pooling("kernel_size: 3 pad: 1 stride: 4294967295") + SOFTMAX.replace("BOTTOM", "n"))
    ),
    "split": _of("prototxt", _layers(_split())),
    "long name": _of(
        "prototxt",
        _layers(f'layer {{ name: "{"x" * 10_000_000}" type: "ReLU" bottom: "nowhere" top: "y" }}'),
        refused=True,
    ),
    "tiny fields": _of(
        "caffemodel",
        lambda path: path.write_bytes(piece(100, piece(1, b"conv1") + b"\x50\x01" * 5_000_000)),
        refused=True,
    ),
    "unallocated": _of("caffemodel.h5", _hdf5(_unallocated), refused=True),
    "groups": _of("caffemodel.h5", _hdf5(_groups), refused=True),
    "external": _of("caffemodel.h5", _hdf5(_external), refused=True),
    "external pipe": _of("caffemodel.h5", _external_fifo, refused=True),
    "true": _of("npy", _npy_of_true, refused=True),
    "foreign image": _of_result(_foreign_image, refused=True),
    "escape": _of_result(_named("\x1b]0;owned\x07\x1b[2J\x1b[31mtiger")),
    "long title": _of_result(_named("x" * 1000)),
    "control": _of_result(_named("a\x01b")),
    "surrogate": _of_result(_named("a\ud800b")),
    "provenance": _of_result(_text("provenance", {"net": "x"})),
    "notes": _of_result(_text("notes", None), refused=True),
    "two targets": _of_result(
        _text("targets", [{"blob": "prob", "unit": [0], "name": "x", "against": None, "source": None}] * 2),
        refused=True,
    ),
    "bomb": _of_result(_bomb, refused=True),
    "labels of a thousand letters": _of_labels("x" * 1000),
    "labels with escapes": _of_labels("\x1b]0;owned\x07tiger"),
    "labels in Chinese": _of_labels("中"),
    "greys of 16 bits": Crafted(_png(13_000, 16, 0, 2), "picture.png", _predicted),
    "transparent": Crafted(_png(13_000, 8, 6, 4), "picture.png", _predicted),
}
#: Those that take seconds as they should.
LONG = ("greys of 16 bits", "transparent", "tiny fields", "long name")
