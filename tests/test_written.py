"""Files appear whole or not at all, in the place of ours alone; of what is in them: test_ours, test_explanation."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest

from predicdiff.errors import ExplanationError, SamplerError
from predicdiff.ours import as_record
from predicdiff.written import sweep, written_whole

HALF = """
import sys
from pathlib import Path
from predicdiff.written import written_whole
with written_whole(Path(sys.argv[1])) as part:
    part.write_bytes(b"half"); print("ready", flush=True); sys.stdin.read()
"""


def fill(path: Path) -> bytes:
    """A file of ours that was there before."""
    path.write_bytes(as_record({"value": "earlier"}))
    return path.read_bytes()


def fill_whole(path: Path) -> None:
    """Write a file of ours in the way that is tested."""
    with written_whole(path) as part:
        part.write_bytes(as_record({"value": "new"}))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_was_written_has_the_name_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "cat.json"
    with written_whole(path) as part:
        part.write_text("{}")
        assert part.suffix == path.suffix
        assert not path.exists()
    assert path.read_text() == "{}"
    assert os.listdir(path.parent) == ["cat.json"]


def test_an_error_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "cat.json"
    before = fill(path)

    def fails() -> None:
        with written_whole(path) as part:
            part.write_bytes(b"half")
            raise ZeroDivisionError("on the way")

    with pytest.raises(ZeroDivisionError, match="on the way"):
        fails()
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["cat.json"]


@contextmanager
def writing(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has written half of a file, and is killed at the end."""
    command = [sys.executable, "-c", HALF, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.send_signal(signal.SIGKILL)


def test_a_killed_run_leaves_the_old_file_and_the_next_sweeps_what_it_left(tmp_path: Path) -> None:
    path = tmp_path / "cat.json"
    before = fill(path)
    with writing(path):
        pass
    assert path.read_bytes() == before
    (left,) = set(os.listdir(tmp_path)) - {"cat.json"}
    others = {".dog.json.0123abcd.part.json", ".cat.json.mine.part.json"}
    for name in others:
        (tmp_path / name).write_text("another's")
    fill_whole(path)
    assert set(os.listdir(tmp_path)) == {"cat.json", *others}, left


def test_a_folder_is_swept_of_the_parts_of_all_files_of_some_endings(tmp_path: Path) -> None:
    parts = [".cat.h5.0123abcd.part.h5", ".dog.h5.0123abce.part.h5", ".cat.png.0123abcf.part.png"]
    others = {".cat.json.0123abcd.part.json", ".cat.h5.mine.part.h5", "cat.h5", ".0123abcd.part.h5"}
    for name in (*parts, *others):
        (tmp_path / name).touch()
    with writing(tmp_path / "hen.h5"):
        sweep(tmp_path, ".h5", ".png")
        left = {path.name for path in tmp_path.iterdir()} - others
    (hen,) = left
    assert hen.startswith(".hen.h5.")
    assert others < {path.name for path in tmp_path.iterdir()}


def test_who_has_swept_the_folder_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "cat.json"
    with writing(path):
        pass
    with written_whole(path, swept=True) as part:
        part.write_text("{}")
    assert len(list(tmp_path.iterdir())) == 2


def test_what_another_process_is_writing_is_not_swept(tmp_path: Path) -> None:
    path = tmp_path / "cat.json"
    with writing(path):
        (part,) = tmp_path.iterdir()
        fill_whole(path)
        assert set(tmp_path.iterdir()) == {path, part}


@pytest.mark.parametrize("error", [ExplanationError, SamplerError])
def test_the_error_is_the_one_asked_for(tmp_path: Path, error: type) -> None:
    fill(tmp_path / "file")
    place = tmp_path / "file" / "cat.json"
    with pytest.raises(error, match=r"cat\.json: cannot be written \(.+\)\. Choose another place"), written_whole(
        place, error=error
    ):
        pass


def test_a_new_file_has_the_mode_that_the_umask_says_and_an_old_one_keeps_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0o027)
    try:
        # to ask for it is to set it for all threads
        monkeypatch.setattr(os, "umask", None)
        fill_whole(tmp_path / "new.json")
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert mode(tmp_path / "new.json") == 0o640
    for wanted in (0o600, 0o664):
        (tmp_path / "new.json").chmod(wanted)
        fill_whole(tmp_path / "new.json")
        assert mode(tmp_path / "new.json") == wanted


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no such modes")
def test_only_its_owner_may_read_what_is_not_whole(tmp_path: Path) -> None:
    with written_whole(tmp_path / "cat.json") as part:
        assert mode(part) == 0o600


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_owner_and_group_stay(tmp_path: Path) -> None:
    path = tmp_path / "cat.json"
    fill(path)
    os.chown(path, 1234, 4321)
    fill_whole(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


def test_another_group_sees_no_more_than_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the group of the old file is not one of the writer's."""
    path = tmp_path / "cat.json"
    fill(path)
    os.chown(path, -1, 4321)
    path.chmod(0o664)

    def denied(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", denied)
    fill_whole(path)
    assert mode(path) == 0o644


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path, there: bool) -> None:
    target, link = tmp_path / "disk" / "cat.json", tmp_path / "cat.json"
    link.symlink_to(Path("disk", "cat.json"))
    if there:
        target.parent.mkdir()
        fill(target)
    fill_whole(link)
    assert link.is_symlink()
    assert json.loads(target.read_text())["value"] == "new"
    assert os.listdir(target.parent) == ["cat.json"]


def test_a_link_to_a_file_of_another_program_is_not_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "diary.txt", tmp_path / "cat.json"
    target.write_text("Dear diary")
    link.symlink_to(target)
    with pytest.raises(ExplanationError, match=r"diary\.txt: a file stands there that predicdiff did not write"):
        fill_whole(link)
    assert target.read_text() == "Dear diary"
    assert set(os.listdir(tmp_path)) == {"cat.json", "diary.txt"}


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no pipes with a name")
def test_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "cat.json")
    with pytest.raises(ExplanationError, match="a pipe, a device or a socket stands there"):
        fill_whole(tmp_path / "cat.json")
    assert stat.S_ISFIFO((tmp_path / "cat.json").stat().st_mode)
