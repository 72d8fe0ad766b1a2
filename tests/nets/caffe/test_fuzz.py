"""A thousand damaged files of each kind: each loads or ends in one of our errors, in little memory and time.

This file is also the program that reads them, in a process of its own: what crashes, hangs or eats memory there fails
the test here.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable

import pytest
from helpers.caffe_bytes import piece, varint
from helpers.places import DATA, ROOT

from predicdiff.errors import PredicdiffError
from predicdiff.nets.caffe.caffemodel import read_caffemodel, read_mean
from predicdiff.nets.caffe.prototxt import read_prototxt

COUNT = 1000
SECONDS = 300
ROOM = 2**28

READERS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "caffemodel": (read_caffemodel, ("tiny_v1.caffemodel", "tiny_v2.caffemodel")),
    "mean": (read_mean, ("tiny_mean.binaryproto",)),
    "prototxt": (read_prototxt, ("tiny_v1.prototxt",)),
}

SIZES = (0, 127, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)


def damaged(kind: str, data: bytes, chance: random.Random) -> bytes:
    """The file with a few things wrong, most of them in its first bytes, where shapes and lengths are."""
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        place = chance.randrange(min(len(data), chance.choice((40, 200, 10**6))) + 1)
        data = chance.choice((_flip, _cut, _drop, _repeat, _noise, _size, _nest))(kind, data, place, chance)
    return data


def _flip(kind: str, data: bytes, place: int, chance: random.Random) -> bytes:
    return (
        data[:place] + bytes([byte ^ 1 << chance.randrange(8) for byte in data[place : place + 1]]) + data[place + 1 :]
    )


def _cut(kind: str, data: bytes, place: int, chance: random.Random) -> bytes:
    return data[:place] if chance.random() < 0.3 else data


def _drop(kind: str, data: bytes, place: int, chance: random.Random) -> bytes:
    return data[:place] + data[place + chance.randrange(30) :]


def _repeat(kind: str, data: bytes, place: int, chance: random.Random) -> bytes:
    return data[:place] + data[place : place + chance.randrange(300)] + data[place:]


def _noise(kind: str, data: bytes, place: int, chance: random.Random) -> bytes:
    return data[:place] + bytes(chance.randrange(256) for _ in range(chance.randrange(20))) + data[place:]


def _size(kind: str, data: bytes, place: int, chance: random.Random) -> bytes:
    size = chance.choice(SIZES)
    return data[:place] + (str(size).encode() if kind == "prototxt" else varint(size)) + data[place + 1 :]


def _nest(kind: str, data: bytes, place: int, chance: random.Random) -> bytes:
    if kind == "prototxt":
        return (
            data[:place] + chance.choice((b"{", b"}", b"layers {", b"layer { convolution_param {")) * 50 + data[place:]
        )
    for _ in range(chance.randrange(1, 50)):
        data = piece(chance.choice((1, 2, 5, 6, 7, 100)), data)
    return data


def read_all(kind: str) -> str:
    """How many loaded and how many were refused; whatever else a file does ends the program."""
    read, names = READERS[kind]
    loaded = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        for seed in range(COUNT):
            chance = random.Random(seed)
            path.write_bytes(damaged(kind, (DATA / chance.choice(names)).read_bytes(), chance))
            message = problem(read, path)
            assert not message or message.startswith(f"{path}: "), seed
            assert len(message) < len(f"{path}") + 700, seed
            loaded, refused = loaded + (not message), refused + bool(message)
    return f"{loaded} {refused}"


def problem(read: Callable[[Path], object], path: Path) -> str:
    """What is said to be wrong with a file; nothing if it loads."""
    try:
        read(path)
    except PredicdiffError as error:
        return str(error)
    return ""


def limit_memory() -> None:
    """Let this process have no more than it has, and ``ROOM``."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    room = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (room, room))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory can be limited on Linux only")
@pytest.mark.parametrize("kind", READERS)
def test_damaged_files_load_or_are_refused(kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", __file__, kind],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    loaded, refused = map(int, done.stdout.split())
    assert loaded + refused == COUNT
    assert loaded > 20  # the damage is not so coarse that only the first bytes are ever looked at
    assert refused > 200


if __name__ == "__main__":
    limit_memory()
    print(read_all(sys.argv[1]))
