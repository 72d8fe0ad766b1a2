"""Finished tiles survive anything but their own last record."""

from __future__ import annotations

import io
import json
import os
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from predicdiff.errors import ExplanationError
from predicdiff.journal import Journal
from predicdiff.tile_records import MAGIC, MARK, TILE, packed

RUN = {
    "settings": {"window": 10, "stride": 1, "units": [[281]], "against": None},
    "net": {"name": "tiny", "weights": "ab" * 20},
    "sampler": "MarginalSampler",
    "pixels": "cd" * 20,
}
STATE = {"batch_size": 64, "tile": 320}


def tile(number: int, windows: int = 3) -> tuple:
    values = np.random.default_rng(number).normal(size=(windows, 2))
    return values, np.where(values > 1, np.nan, values**2)


def kept(path: Path, numbers: Any = range(3), run: Any = None) -> Path:
    """A journal of an interrupted run."""
    with Journal(path, RUN if run is None else run, STATE) as journal:
        for number in numbers:
            journal.add(number, *tile(number))
    return path


def opened(path: Path, run: Any = None) -> Journal:
    """A journal after taking up what was there."""
    with Journal(path, RUN if run is None else run, STATE) as journal:
        return journal


def assert_tiles(journal: Journal, numbers: Any) -> None:
    assert list(journal.tiles) == list(numbers)
    for number in numbers:
        assert len(journal.tiles[number]) == 2
        for kept, wanted in zip(journal.tiles[number], tile(number)):
            assert kept.dtype == wanted.dtype
            np.testing.assert_array_equal(kept, wanted)


# going on


def test_a_second_run_takes_up_the_tiles_and_how_they_are_cut(tmp_path: Path) -> None:
    path = kept(tmp_path / "cat.tiles", [0, 2, 1])
    with Journal(path, RUN, {"batch_size": 3, "tile": 5}) as journal:
        assert_tiles(journal, [0, 2, 1])
        assert journal.state == {"batch_size": 3, "tile": 320}
        journal.add(5, *tile(5))
        assert_tiles(journal, [0, 2, 1, 5])
    with Journal(path, RUN, {}) as journal:
        assert_tiles(journal, [0, 2, 1, 5])
        assert journal.state == {"tile": 320}


def test_with_what_tiles_were_made_is_kept(tmp_path: Path) -> None:
    path, conditions = tmp_path / "cat.tiles", [{"threads": 1}, {"threads": 2}, {"threads": 1}]
    for number, one in enumerate(conditions):
        with Journal(path, RUN, STATE) as journal:
            journal.made_under({"threads": 7})  # under which nothing is made
            journal.made_under(one)
            journal.add(number, *tile(number))
    assert [opened(path).made[number] for number in range(3)] == conditions


def test_a_finished_tile_is_on_disk_at_once(tmp_path: Path) -> None:
    with Journal(tmp_path / "cat.tiles", RUN, STATE) as journal:
        for number in range(3):
            journal.add(number, *tile(number))
            second = Journal(tmp_path / "cat.tiles", RUN, STATE)
            second.look()
            assert_tiles(second, range(number + 1))


KILLED = """
import json, os, signal, sys
from pathlib import Path
import numpy as np
from predicdiff.journal import Journal

with Journal(Path(sys.argv[1]), json.loads(sys.argv[2]), {"batch_size": 64}) as journal:
    for number in range(3):
        values = np.random.default_rng(number).normal(size=(3, 2))
        journal.add(number, values, np.where(values > 1, np.nan, values**2))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_keeps_its_tiles(tmp_path: Path) -> None:
    path = tmp_path / "cat.tiles"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), json.dumps(RUN)], check=False)
    assert done.returncode == -9
    with Journal(path, RUN, {}) as journal:
        assert_tiles(journal, range(3))


def test_settings_that_json_writes_alike_are_the_same_run(tmp_path: Path) -> None:
    path = kept(tmp_path / "cat.tiles", run={"units": [(281,)], "seed": 2**64 - 1, "name": "gößnet"})
    with Journal(path, {"name": "gößnet", "seed": 2**64 - 1, "units": ([281],)}, {}) as journal:
        assert_tiles(journal, range(3))


def test_without_a_path_tiles_are_kept_in_memory(tmp_path: Path) -> None:
    with Journal(None, RUN, STATE) as journal:
        journal.add(0, *tile(0))
        assert_tiles(journal, [0])
        journal.remove()
    assert not os.listdir(tmp_path)


def test_the_folder_is_made(tmp_path: Path) -> None:
    kept(tmp_path / "a" / "b" / "cat.tiles")
    assert os.listdir(tmp_path / "a" / "b") == ["cat.tiles"]


def test_remove_deletes_the_file_and_does_not_mind_that_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "cat.tiles"
    with Journal(path, RUN, STATE) as journal:
        journal.add(0, *tile(0))
    journal.remove()
    assert not path.exists()
    journal.remove()


# cut short or damaged


def test_cut_at_every_byte_only_the_last_tile_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "cat.tiles"
    ends = [kept(path, [number]).stat().st_size for number in range(2)]
    whole = path.read_bytes()
    head = whole.index(b"\n", whole.index(b"\n") + 1) + 1
    for cut in [0, *range(len(b"predicdiff tiles "), len(whole) + 1)]:
        path = tmp_path / str(cut)  # overwriting one file thousands of times is slow
        path.write_bytes(whole[:cut])
        left = sum(end <= cut for end in ends)
        assert_tiles(opened(path), range(left))
        if cut % 53 == 0 or any(abs(cut - end) <= 2 for end in [head, *ends]):
            goes_on(path, range(left))


def goes_on(path: Path, before: Any) -> None:
    """A tile added to what was left is there the next time."""
    with Journal(path, RUN, STATE) as journal:
        journal.add(9, *tile(9))
    assert_tiles(opened(path), [*before, 9])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=60))
@example(b"\0" * 12)
@example(b"\0" * 4096)
@example(struct.pack("<QI", 4, zlib.crc32(b"junk")) + b"jun")
@example(struct.pack("<QI", 2**63, 0))
def test_bytes_behind_the_last_tile_are_passed_over(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "cat.tiles"
    if path.exists():
        path.unlink()
    path.write_bytes(kept(path, range(1)).read_bytes() + junk)
    assert_tiles(opened(path), range(1))
    goes_on(path, range(1))


def test_whichever_bit_is_flipped_at_most_one_tile_is_lost_or_a_sentence_says_so(tmp_path: Path) -> None:
    run = {"seed": 0}
    path = kept(tmp_path / "cat.tiles", run=run)
    content, left = path.read_bytes(), set()
    for place in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(bytes(damaged))
        journal, said = looked(path, run)
        if said:
            assert place < 8 * (content.index(MARK, len(MAGIC) + 1)), "only the head is needed for all tiles"
            assert re.search("is something else|is damaged", said)
            continue
        assert_tiles(journal, [number for number in range(3) if number in journal.tiles])
        assert len(journal.tiles) >= 2
        left.add(tuple(journal.tiles))
    assert left == {(0, 1, 2), (1, 2), (0, 2), (0, 1)}


def looked(path: Path, run: Any = None) -> tuple[Journal, str]:
    """What is taken up of a file, and the sentence with which it is refused."""
    journal = Journal(path, RUN if run is None else run, STATE)
    try:
        journal.look()
    except ExplanationError as error:
        return journal, str(error)
    return journal, ""


def test_what_is_added_behind_damage_is_found(tmp_path: Path) -> None:
    path = kept(tmp_path / "cat.tiles")
    content = bytearray(path.read_bytes())
    content[content.rindex(MARK, 0, content.rindex(MARK)) + 60] ^= 4
    path.write_bytes(bytes(content))
    assert_tiles(opened(path), [0, 2])
    goes_on(path, [0, 2])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no line",
        b"[]\n",
        b"7\n",
        b"[[]]\n",
        b'[["O", [1]]]\n12345678',
        b'[["<f8", [2]]]\n12345678',
        b'[["<f8", [1, -1, -1]]]\n12345678',
        b'[["<f8", [1e99]]]\n12345678',
        b'[["<f8", [4611686018427387904]]]\n12345678',
        b'[["<f8", [0, 4611686018427387904, 4611686018427387904]]]\n',
        b'[["<f8", [1]], 1]\n12345678',
        b'[["<f1", [1]]]\n1',
        b'[{"a": 1, "b": 2}]\n12345678',
        b'[["|b1", []]' + b', ["|b1", []]' * 9 + b"]\n0123456789",
        b"[" * 900 + b"\n",
        b"[" * 9000 + b"\n",
    ],
)
def test_a_whole_record_of_something_else_is_no_tile(tmp_path: Path, body: bytes) -> None:
    path = kept(tmp_path / "cat.tiles")
    with open(path, "ab") as file:
        file.write(packed(TILE, 1, 0, body))
    assert_tiles(opened(path), [0, 1, 2])


def test_more_damage_than_any_accident_does_is_refused_at_once(tmp_path: Path) -> None:
    path = kept(tmp_path / "cat.tiles")
    with open(path, "ab") as file:
        file.write(MARK * 100_000)
    with pytest.raises(ExplanationError, match="is damaged"):
        opened(path)


OLD_RUN = {"run": RUN, "state": STATE}


def old(path: Path, line: bytes = json.dumps(OLD_RUN).encode(), numbers: Any = range(3), **more: Any) -> bytes:
    """Tiles as the last release wrote them."""
    content = b"predicdiff tiles 2\n" + line + b"\n"
    for number in numbers:
        file = io.BytesIO()
        np.savez(file, *tile(number), number=np.array(number), **more)
        content += struct.pack("<QI", len(file.getvalue()), zlib.crc32(file.getvalue())) + file.getvalue()
    path.write_bytes(content)
    return content


def test_the_last_releases_tiles_are_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "cat.tiles"
    old(path)
    assert_tiles(opened(path), range(3))
    goes_on(path, range(3))
    assert set(map(str, opened(path).made.values())) == {"{'batch_size': 64}", "{}"}


def test_the_last_releases_tiles_with_a_bit_flipped_are_fewer_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "cat.tiles"
    content = old(path)
    for place in range(0, 8 * len(content), 41):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(bytes(damaged))
        journal, said = looked(path)
        assert not said or re.search("is something else|is damaged|with other settings", said)
        assert_tiles(journal, range(len(journal.tiles)))


@pytest.mark.parametrize(
    "more", [{"a": np.array([None])}, {"a": np.zeros(3)}, {f"a{n}": np.zeros(1) for n in range(9)}]
)
def test_an_archive_of_something_else_is_no_tile(tmp_path: Path, more: Any) -> None:
    path = tmp_path / "cat.tiles"
    old(path, **more)
    assert not opened(path).tiles


# not this run's


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings": {**RUN["settings"], "window": 12}}, "window was 10, is 12"),  # type: ignore[dict-item]
        ({"settings": {**RUN["settings"], "against": 7}}, "against was null, is 7"),  # type: ignore[dict-item]
        ({"settings": {**RUN["settings"], "units": [[1], [2]]}}, r"units was \[\[281\]\], is \[\[1\], \[2\]\]"),  # type: ignore[dict-item]
        ({"net": {"name": "tiny", "weights": "ef" * 20}}, "weights was .abab.*, is .efef"),
        ({"sampler": "Gaussian", "pixels": "other"}, "sampler was .MarginalSampler., is .Gaussian.; pixels was"),
        ({"sampler": "x" * 100}, r'is "x{36}\.\.\.\)'),
    ],
)
def test_other_settings_are_named(tmp_path: Path, change: dict, message: str) -> None:
    path = kept(tmp_path / "cat.tiles")
    before = path.read_bytes()
    with pytest.raises(ExplanationError, match=rf"cat\.tiles: tiles of a run with other settings \(.*{message}"):
        opened(path, {**RUN, **change})
    assert path.read_bytes() == before


def test_a_refused_journal_does_not_take_up_the_others_state(tmp_path: Path) -> None:
    path = kept(tmp_path / "cat.tiles")
    journal = Journal(path, {"other": 1}, {"batch_size": 1})
    with pytest.raises(ExplanationError, match="tiles of a run with other settings"):
        journal.__enter__()
    assert journal.state == {"batch_size": 1}
    assert not journal.tiles


@pytest.mark.parametrize(
    "content",
    [b"my thesis\n", b"\x89PNG\r\n\x1a\n" + b"\0" * 100, b"predicdiff tiles 1\n{}\n", b"predicdiff", b"\0" * 50],
)
def test_a_file_of_another_kind_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cat.tiles"
    path.write_bytes(content)
    with pytest.raises(ExplanationError, match=r"should hold finished tiles, but is something else\. Move it away"):
        opened(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "state",
    [7, [], {"tile": 0}, {"tile": True}, {"tile": "a"}, {"base": 1}, {"base": ["a"]}, {"base": [10**400]}],
)
@pytest.mark.parametrize("form", [2, 3])
def test_a_state_that_can_be_no_runs_is_damage(tmp_path: Path, state: Any, form: int) -> None:
    path = tmp_path / "cat.tiles"
    line = json.dumps({"run": RUN, "state": state}).encode()
    if form == 2:
        old(path, line)
    else:
        path.write_bytes(MAGIC + packed(b"r", 0, 0, line))
    with pytest.raises(ExplanationError, match="but is damaged"):
        opened(path)


@pytest.mark.parametrize("line", [b"{]", b"[]", b"{}", b"7", b"\xff\xfe", b"[" * 100_000, b'{"run": {}}'])
@pytest.mark.parametrize("form", [2, 3])
def test_a_damaged_head_is_said_and_nothing_deleted(tmp_path: Path, line: bytes, form: int) -> None:
    path = tmp_path / "cat.tiles"
    if form == 2:
        old(path, line)
    else:
        path.write_bytes(MAGIC + packed(b"r", 0, 0, line) + b"more")
    damaged = path.read_bytes()
    with pytest.raises(ExplanationError, match=r"but is damaged\. Delete it \(.*--restart.*\) to start afresh"):
        opened(path)
    assert path.read_bytes() == damaged


# where it cannot be kept


def test_a_place_under_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ExplanationError, match=r"finished tiles cannot be kept \(.+\)\. Choose another place"):
        opened(tmp_path / "file" / "cat.tiles")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ExplanationError, match="a folder, want the path of a file"):
        opened(tmp_path)


FULL_DISK = """
import json, resource, sys
from pathlib import Path
import numpy as np
from predicdiff.errors import ExplanationError
from predicdiff.journal import Journal

path = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    with Journal(path, json.loads(sys.argv[2]), {"batch_size": 64}) as journal:
        for number in range(3, 100):
            journal.add(number, np.random.default_rng(number).normal(size=(3000, 2)))
except ExplanationError as error:
    print(error)
"""


@pytest.mark.parametrize(("room", "tiles"), [(0, 0), (5000, 0), (100_000, 2)])
def test_a_full_disk_is_one_sentence_and_costs_only_the_tile_at_work(tmp_path: Path, room: int, tiles: int) -> None:
    pytest.importorskip("resource")
    path = kept(tmp_path / "cat.tiles")
    limit = path.stat().st_size + room
    command = [sys.executable, "-c", FULL_DISK, str(path), json.dumps(RUN), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"{path}: finished tiles cannot be {'written' if room else 'kept'} (File too large). "
        "Choose another place for the output.\n"
    )
    # 3000 windows of two doubles take 48 kB and a little
    assert list(opened(path).tiles) == list(range(3 + tiles))


def test_a_full_disk_from_the_first_byte(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    path = tmp_path / "cat.tiles"
    command = [sys.executable, "-c", FULL_DISK, str(path), json.dumps(RUN), "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{path}: finished tiles cannot be kept (File too large).")
