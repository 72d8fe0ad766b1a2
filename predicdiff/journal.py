"""Finished tiles of a run, kept in a file beside its output so that an interrupted run goes on where it stopped.

The file is a line of JSON (what the run is) and then one record a tile: length, CRC-32, and the tile's arrays as NumPy
writes them. Each record is written out before the next tile begins; one that a kill cut short is dropped when the file
is read.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import struct
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from .errors import ExplanationError
from .protocols import Json

MAGIC = b"predicdiff tiles 2\n"
HEAD = struct.Struct("<QI")


class Journal:
    """Tiles by number, in memory and, where ``path`` is given, on disk.

    Parameters
    ----------
    path : Path or None
        None keeps nothing on disk.
    identity : dict
        JSON-able; everything that the tiles' values depend on.
    state : dict
        JSON-able; what a continued run takes over as it was (the batch size, the size of tiles).

    Raises
    ------
    ExplanationError
        If the file belongs to another run, is no journal or cannot be written.
    """

    def __init__(self, path: Path | None, identity: Json, state: Json) -> None:
        self.path = path
        self.identity = json.loads(json.dumps(identity))
        self.state = state
        self.tiles: dict[int, tuple[np.ndarray, ...]] = {}
        self._file: BinaryIO | None = None

    def __enter__(self) -> Journal:
        if self.path is not None:
            try:
                self._open(self.path)
            except OSError as error:
                self._close()
                raise self._cannot("be kept", error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        # every record was flushed as it was added: an error of closing was reported then, and loses nothing
        with contextlib.suppress(OSError):
            if self._file is not None:
                self._file.close()
        self._file = None

    def add(self, number: int, *arrays: np.ndarray) -> None:
        """Keep a finished tile."""
        self.tiles[number] = arrays
        if self._file is None:
            return
        buffer = io.BytesIO()
        np.savez(buffer, *arrays, number=np.array(number))
        record = buffer.getvalue()
        try:
            self._file.write(HEAD.pack(len(record), zlib.crc32(record)) + record)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._cannot("be written", error) from error

    def look(self) -> None:
        """Take up the tiles of an earlier run, and leave the file as it is."""
        if self.path is not None and self.path.exists():
            try:
                self._read(self.path)
            except OSError as error:
                raise self._cannot("be read", error) from error

    def section(self, first: int, count: int) -> Section:
        """The tiles from number ``first`` on, ``count`` of them, as a journal of their own."""
        return Section(self, first, count)

    def remove(self) -> None:
        """Delete the file: the result is safe."""
        # one that cannot be deleted does no harm: the same run takes it up again, another says whose it is
        with contextlib.suppress(OSError):
            if self.path is not None:
                self.path.unlink()

    def _open(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        end = self._read(path) if path.exists() else 0
        if end:
            self._file = open(path, "r+b")  # noqa: SIM115
            self._file.truncate(end)
            self._file.seek(end)
            return
        self._file = open(path, "wb")  # noqa: SIM115
        self._file.write(self._head())
        self._file.flush()

    def _read(self, path: Path) -> int:
        """Take up the tiles of an earlier run; returns where the last whole record ends, 0 if none was begun."""
        with open(path, "rb") as file:
            magic, line = file.read(len(MAGIC)), file.readline()
            if not MAGIC.startswith(magic):
                raise ExplanationError(f"{path}: should hold finished tiles, but is something else. Move it away.")
            if not line.endswith(b"\n"):  # a kill cut the first lines short
                return 0
            try:
                head = json.loads(line)
                before, state = head["run"], head["state"]
            except (ValueError, KeyError, TypeError, RecursionError):
                raise ExplanationError(
                    f"{path}: should hold finished tiles, but is damaged. Delete it to start afresh."
                ) from None
            if before != self.identity:
                raise ExplanationError(
                    f"{path}: tiles of a run with other settings ({_changes(before, self.identity)}). "
                    "Give another output, repeat those settings, or delete the file (`predicdiff explain --restart`) "
                    "to start afresh."
                )
            self.state = state
            end = file.tell()
            while True:
                record = _record(file)
                if record is None:
                    return end
                number, arrays = record
                self.tiles[number] = arrays
                end = file.tell()

    def _head(self) -> bytes:
        return MAGIC + json.dumps({"run": self.identity, "state": self.state}).encode() + b"\n"

    def _cannot(self, what: str, error: OSError) -> ExplanationError:
        return ExplanationError(
            f"{self.path}: finished tiles cannot {what} ({error.strerror}). Choose another place for the output."
        )


class Section:
    """Some of a journal's tiles, numbered from 0: those of one stage."""

    def __init__(self, journal: Journal, first: int, count: int) -> None:
        self.state = journal.state
        self.tiles = {
            tile - first: journal.tiles[tile] for tile in range(first, first + count) if tile in journal.tiles
        }
        self._journal, self._first, self._count = journal, first, count

    def add(self, number: int, *arrays: np.ndarray) -> None:
        """Keep a finished tile."""
        self.tiles[number] = arrays
        self._journal.add(self._first + number, *arrays)

    def taken(self) -> list[tuple[np.ndarray, ...]]:
        """All of its tiles, of which nothing is kept in memory any more."""
        for tile in range(self._first, self._first + self._count):
            self._journal.tiles.pop(tile)
        return [self.tiles.pop(tile) for tile in range(self._count)]


def _record(file: BinaryIO) -> tuple[int, tuple[np.ndarray, ...]] | None:
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    length, check = HEAD.unpack(head)
    if not 0 < length <= os.fstat(file.fileno()).st_size:  # a crash may leave zeros, which are their own CRC-32
        return None
    record = file.read(length)
    if len(record) < length or zlib.crc32(record) != check:
        return None
    with np.load(io.BytesIO(record)) as arrays:
        return int(arrays["number"]), tuple(arrays[f"arr_{i}"] for i in range(len(arrays.files) - 1))


def _changes(before: Any, now: Any, name: str = "") -> str:
    """The first few settings that differ, as text."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        return "; ".join(_changes(before.get(key), now.get(key), key) for key in keys[:3])
    return f"{name} was {_short(before)}, is {_short(now)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
