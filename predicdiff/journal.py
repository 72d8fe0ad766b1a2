"""Finished tiles of a run, kept in a file beside its output so that an interrupted run goes on where it stopped.

The file says what the run is, who works on it, with what tiles are made, and then holds one record a tile (see
`tile_records`). Each is on the disk before the next tile begins; one that a kill cut short, or that was damaged, is not
taken up. The file is locked while a run works on it (see `locks`).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import platform
import sys
import zlib
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Callable

import numpy as np

from .errors import ExplanationError
from .flock import is_at
from .locks import InUseError, let_go, open_locked, open_to_read
from .protocols import Json
from .texts import shown
from .tile_records import (
    BEGINNING,
    CONDITIONS,
    HEAD_SIZE,
    MAGIC,
    MOST_JSON,
    OLD_MAGIC,
    OWNER,
    RUN,
    TILE,
    Arrays,
    DamagedError,
    array_bytes,
    head_at,
    json_bytes,
    old_records,
    packed,
    read_arrays,
    read_json,
    records,
)

#: Of an earlier run's ``state``, what one that goes on with its tiles takes over: how the run is cut into tiles, and
#: what it set out from.
TAKEN_OVER = ("tile", "base")


class OtherRunError(ExplanationError):
    """The tiles are those of a run with other settings."""


class Journal:
    """Tiles by number, in memory and, where ``path`` is given, on disk; no other run may write there meanwhile.

    Parameters
    ----------
    path : Path or None
        None keeps nothing on disk.
    identity : dict
        JSON-able; everything that the tiles' values depend on.
    state : dict
        JSON-able; how the run is cut up. A continued run takes over what `TAKEN_OVER` names.
    outdated : callable, optional
        Says of the identity of another run whether its tiles may go.
    restart : bool
        Begin afresh, whatever tiles are there.

    Attributes
    ----------
    tiles : dict
        The arrays of each finished tile, by its number.
    made : dict
        With what each was made, as `made_under` was told; None where that is not known.
    conditions : dict
        With what the tiles are made that are added next.

    Raises
    ------
    InUseError
        If another run works on the file.
    OtherRunError
        If its tiles are those of a run with other settings.
    ExplanationError
        If it holds no tiles, is damaged or cannot be written.
    """

    def __init__(
        self,
        path: Path | None,
        identity: Json,
        state: Json,
        *,
        outdated: Callable[[Json], bool] = lambda run: False,
        restart: bool = False,
    ) -> None:
        self.path = path
        self.identity = json.loads(json.dumps(identity))
        self.state = state
        self.tiles: dict[int, Arrays] = {}
        self.made: dict[int, Json | None] = {}
        self._outdated, self._restart = outdated, restart
        self.conditions: Json = {}
        self._groups: dict[int, Json] = {}
        self._group: int | None = None
        self._file: BinaryIO | None = None
        #: Whether no other run writes to the file, and all that it holds has been read.
        self._held = self._known = False

    def __enter__(self) -> Journal:
        if self.path is not None and self._file is None:
            try:
                self._open(self.path)
            except OSError as error:
                self._close()
                raise self._cannot("be kept", error) from error
            except BaseException:
                self._close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        """End the work on the file, and delete it if it is known to hold no tile."""
        if self._file is None:
            return
        if self._known and not self.made:
            self._delete()
        # every record was flushed as it was added: an error of closing was reported then, and loses nothing
        with contextlib.suppress(OSError):
            let_go(self._file)
        self._file = None

    def made_under(self, conditions: Json) -> None:
        """Say with what the tiles that are added from now on are made; JSON-able."""
        if conditions != self.conditions:
            self.conditions, self._group = conditions, None

    def add(self, number: int, *arrays: np.ndarray) -> None:
        """Keep a finished tile."""
        self.tiles[number], self.made[number] = arrays, self.conditions
        if self._file is None:
            return
        try:
            if self._group is None:
                self._group = next(group for group in itertools.count(1) if group not in self._groups)
                self._groups[self._group] = self.conditions
                self._file.write(packed(CONDITIONS, self._group, 0, json_bytes(self.conditions)))
            self._file.write(packed(TILE, number, self._group, array_bytes(arrays)))
            self._flush()
        except OSError as error:
            raise self._cannot("be written", error) from error

    def drop(self, number: int) -> None:
        """Take a tile for not finished."""
        del self.tiles[number], self.made[number]

    def look(self) -> None:
        """Take up the tiles of an earlier run, and leave the file as it is."""
        if self.path is not None and os.path.lexists(self.path):
            try:
                with open_to_read(self.path) as file:
                    self._check_ours(file)
                    self._read(file)
            except OSError as error:
                raise self._cannot("be read", error) from error

    def section(self, first: int, count: int) -> Section:
        """The tiles from number ``first`` on, ``count`` of them, as a journal of their own."""
        return Section(self, first, count)

    def remove(self) -> None:
        """Delete the file, unless another run works on it: the result is safe."""
        # one that cannot be deleted does no harm: the same run takes it up again, another says whose it is
        with contextlib.suppress(OSError, ExplanationError):
            if self.path is None:
                return
            if self._file is None:
                self._file, self._held = open_locked(self.path, new=False)
            self._delete()
            self._close()

    def _delete(self) -> None:
        """Delete the file if it still has its name."""
        if self._file is None or self.path is None or not is_at(self._file.fileno(), self.path):
            return
        if sys.platform == "win32":  # no open file is deleted there
            self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _open(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file, self._held = open_locked(path)
        except InUseError:
            raise InUseError(f"{path}: {_owner(path)}. Wait for its end, or give another output.") from None
        self._check_ours(self._file)
        end = 0 if self._restart else self._read(self._file)
        self._known = self._held
        self._file.truncate(end)
        self._file.seek(end)
        if not end:
            run = json_bytes({"run": self.identity, "state": self.state})
            self._file.write(MAGIC + packed(RUN, 0, 0, run))
        self._file.write(packed(OWNER, 0, 0, json_bytes(_me())))
        self._flush()

    def _flush(self) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def _check_ours(self, file: BinaryIO) -> None:
        if not _is_ours(file):
            raise ExplanationError(f"{self.path}: should hold finished tiles, but is something else. Move it away.")

    def _read(self, file: BinaryIO) -> int:
        """Take up the tiles of an earlier run; returns where the last whole record ends, 0 if none was begun."""
        try:
            return self._take_up(file)
        except DamagedError:
            raise ExplanationError(
                f"{self.path}: should hold finished tiles, but is damaged. Delete it (`predicdiff explain --restart`) "
                "to start afresh."
            ) from None

    def _take_up(self, file: BinaryIO) -> int:
        head, end = _run_of(file)
        if head is None:  # a kill cut the first bytes short
            return 0
        before, state = head.get("run"), head.get("state")
        if not isinstance(before, dict) or not isinstance(state, dict):
            raise DamagedError
        if before != self.identity:
            if self._outdated(before):
                return 0
            raise OtherRunError(
                f"{self.path}: tiles of a run with other settings ({changes(before, self.identity)}). "
                "Give another output, repeat those settings, or delete the file (`predicdiff explain --restart`) "
                "to start afresh."
            )
        if not self._suits(state):
            raise DamagedError
        taken = {name: state[name] for name in TAKEN_OVER if name in state}
        old = {} if "batch_size" not in state else {"batch_size": state["batch_size"]}
        file.seek(0)
        if file.read(len(OLD_MAGIC)) == OLD_MAGIC:
            self._groups[0] = old
            for record in old_records(file, end):
                self._take(record.number, 0, record.body)
                end = record.end
        for record in records(file, end):
            if record.kind == CONDITIONS:
                with contextlib.suppress(DamagedError):
                    self._groups[record.number] = read_json(record.body)
            elif record.kind == TILE:
                self._take(record.number, record.group, record.body)
            end = record.end
        self.state = {**self.state, **taken}
        return end

    def _take(self, number: int, group: int, body: bytes) -> None:
        with contextlib.suppress(DamagedError):
            self.tiles[number] = read_arrays(body)
            self.made[number] = self._groups.get(group)

    def _suits(self, state: Json) -> bool:
        """Whether what is taken over of an earlier run's state can be that of this run."""
        tile, base, own = state.get("tile", 1), state.get("base"), self.state.get("base")
        numbers = base is None or (isinstance(base, list) and all(map(_is_number, base)))
        alike = base is None or own is None or (numbers and len(base) == len(own))
        return type(tile) is int and tile >= 1 and numbers and alike

    def _cannot(self, what: str, error: OSError) -> ExplanationError:
        return ExplanationError(
            f"{self.path}: finished tiles cannot {what} ({error.strerror}). Choose another place for the output."
        )


class Section:
    """Some of a journal's tiles, numbered from 0: those of one stage."""

    def __init__(self, journal: Journal, first: int, count: int) -> None:
        self.state = journal.state
        there = [tile for tile in range(first, first + count) if tile in journal.tiles]
        self.tiles = {tile - first: journal.tiles[tile] for tile in there}
        self.made = {tile - first: journal.made[tile] for tile in there}
        self._journal, self._first, self._count = journal, first, count

    @property
    def conditions(self) -> Json:
        """With what the tiles are made that are added next."""
        return self._journal.conditions

    def made_under(self, conditions: Json) -> None:
        """Say with what the tiles that are added from now on are made; JSON-able."""
        self._journal.made_under(conditions)

    def add(self, number: int, *arrays: np.ndarray) -> None:
        """Keep a finished tile."""
        self._journal.add(self._first + number, *arrays)
        self.tiles[number], self.made[number] = arrays, self._journal.made[self._first + number]

    def drop(self, number: int) -> None:
        """Take a tile for not finished."""
        self._journal.drop(self._first + number)
        del self.tiles[number], self.made[number]

    def taken(self) -> list[Arrays]:
        """All of its tiles, of which nothing is kept in memory any more."""
        for tile in range(self._first, self._first + self._count):
            self._journal.tiles.pop(tile)
        return [self.tiles.pop(tile) for tile in range(self._count)]


def run_at(path: Path) -> Json | None:
    """The identity of the run whose tiles lie at a path: {} where none was begun, None where it cannot be known."""
    try:
        with open_to_read(path) as file:
            head = _run_of(file)[0] or {}
            return head.get("run", {}) if _is_ours(file) else None
    except FileNotFoundError:
        return {}
    except (OSError, ExplanationError, DamagedError):
        return None


def sweep(path: Path, identity: Json) -> None:
    """Delete tiles of a run whose result is safe elsewhere, unless somebody works on them or cannot be locked out."""
    with contextlib.suppress(OSError, ExplanationError):
        file, held = open_locked(path, new=False)
        try:
            if held and run_at(path) == identity:
                path.unlink()
        finally:
            let_go(file)


def _is_number(value: Any) -> bool:
    """Whether it is a number that a float can be, which not all whole numbers can."""
    return type(value) is float or (type(value) is int and abs(value) <= sys.float_info.max)


def _is_ours(file: BinaryIO) -> bool:
    """Whether a file holds tiles, or nothing, or what a kill has left of its first line."""
    file.seek(0)
    magic = file.read(len(MAGIC))
    return not magic or (magic.startswith(BEGINNING) and (MAGIC.startswith(magic) or OLD_MAGIC.startswith(magic)))


def _run_of(file: BinaryIO) -> tuple[Json | None, int]:
    """What a file says that its run is, and where its tiles begin; None where a kill cut that short.

    Raises
    ------
    DamagedError
        If it was otherwise damaged.
    """
    file.seek(0)
    magic = file.read(len(MAGIC))
    if magic == OLD_MAGIC:
        line = file.readline(MOST_JSON)
        cut_short = not line.endswith(b"\n") and len(line) < MOST_JSON
        return (None if cut_short else read_json(line)), file.tell()
    size = os.fstat(file.fileno()).st_size
    if size < len(MAGIC) + HEAD_SIZE:
        return None, 0
    head = head_at(file, len(MAGIC))
    if head is None or head.kind != RUN:
        raise DamagedError
    if head.end > size:
        return None, 0
    body = file.read(head.length)
    if zlib.crc32(body) != head.check:
        raise DamagedError
    return read_json(body), head.end


def _owner(path: Path) -> str:
    """Which run works on a file, as it has written there: its process, host and since when."""
    last: Json = {}
    with contextlib.suppress(OSError, ExplanationError, DamagedError), open_to_read(path) as file:
        _, place = _run_of(file)
        for record in records(file, place):
            if record.kind == OWNER:
                last = read_json(record.body)
    if not last:
        return "another run works on it"
    process, host, since = (shown(str(last.get(name)), 60) for name in ("process", "host", "since"))
    if (process, host) == (str(os.getpid()), platform.node()):
        return f"this process works on it already, since {since}"
    return f"another run works on it (process {process} on {host}, since {since})"


def _me() -> Json:
    return {"process": os.getpid(), "host": platform.node(), "since": datetime.now().isoformat(" ", "seconds")}


def changes(before: Any, now: Any, name: str = "") -> str:
    """The first few settings that differ, as text."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        return "; ".join(changes(before.get(key), now.get(key), key) for key in keys[:3])
    return f"{shown(name, 40)} was {_short(before)}, is {_short(now)}"


def _short(value: Any) -> str:
    try:
        text = json.dumps(value)
    except RecursionError:
        return "..."
    return text if len(text) <= 40 else text[:37] + "..."
