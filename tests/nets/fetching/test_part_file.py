"""Files that get their names last: locks, leftovers, and hashes."""

from __future__ import annotations

import builtins
import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO, Callable

import pytest

from predicdiff.errors import DownloadError
from predicdiff.nets.fetching.part_file import Hash, alone, file_hash, part_file

ABC = "a9993e364706816aba3e25717850c26c9cd0d89d"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_hashes_are_those_of_the_standard(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert file_hash(tmp_path / "file", "sha1") == ABC
    assert Hash("sha256", "").title == "SHA-256"


def test_a_kept_part_has_its_name_and_an_unkept_one_waits(tmp_path: Path) -> None:
    target = tmp_path / "new" / "net"
    with part_file(target) as part:
        part.write(b"ab")
    assert names(target.parent) == ["net.part"]
    with part_file(target) as part:
        assert len(part) == 2
        part.write(b"c")
        assert part.hash("sha1") == ABC
        part.keep()
    assert names(target.parent) == ["net"]
    assert target.read_bytes() == b"abc"


def test_an_empty_part_does_not_stay(tmp_path: Path) -> None:
    with part_file(tmp_path / "net") as part:
        part.write(b"abc")
        part.clear()
        assert len(part) == 0
    assert names(tmp_path) == []


def test_a_second_writer_gets_a_part_of_its_own(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    target = tmp_path / "net"
    with part_file(target) as first, part_file(target) as second:
        first.write(b"first")
        second.write(b"second")
        second.keep()
        assert target.read_bytes() == b"second"
        first.keep()
    assert target.read_bytes() == b"first"
    assert names(tmp_path) == ["net"]


def test_a_second_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with part_file(tmp_path / "net") as first:
        first.write(b"first")
        with part_file(tmp_path / "net") as second:
            second.write(b"second")
    assert names(tmp_path) == ["net.part"]
    assert (tmp_path / "net.part").read_bytes() == b"first"


def test_the_part_of_a_killed_process_is_gone_on_with(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from predicdiff.nets.fetching.part_file import part_file\n"
        "with part_file(Path(sys.argv[1])) as part:\n"
        "    part.write(bytes(100_000))\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "net")], check=False, timeout=60)
    assert done.returncode == -9
    with part_file(tmp_path / "net") as part:
        assert part.path.name == "net.part"
        assert part.hash("sha1") == hashlib.sha1(bytes(len(part))).hexdigest()


def test_without_locks_nothing_of_others_is_removed_and_nothing_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def flock(file: object, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    target = tmp_path / "net"
    with alone(target), part_file(target) as first:
        first.write(b"abc")
        with alone(target), part_file(target) as second:
            second.write(b"abc")
            second.keep()
        first.keep()
    assert target.read_bytes() == b"abc"
    assert names(tmp_path) == ["net"]


@pytest.fixture
def as_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is renamed or deleted while it is open."""
    files: list[tuple[str, BinaryIO]] = []
    opened = builtins.open

    def open_(path: Any, *how: Any, **settings: Any) -> Any:
        file = opened(path, *how, **settings)
        files.append((str(path), file))
        return file

    def refusing(change: Callable[..., None]) -> Callable[..., None]:
        def changed(path: Any, *others: Any, **how: Any) -> None:
            if any(name == str(path) and not file.closed for name, file in files):
                raise PermissionError(13, "The process cannot access the file", str(path))
            change(path, *others, **how)

        return changed

    monkeypatch.setattr(builtins, "open", open_)
    monkeypatch.setattr(os, "replace", refusing(os.replace))
    monkeypatch.setattr(Path, "unlink", refusing(Path.unlink))


@pytest.mark.usefixtures("as_windows")
def test_no_file_is_renamed_or_deleted_while_it_is_open(tmp_path: Path) -> None:
    target = tmp_path / "net"
    with part_file(target):
        pass
    assert names(tmp_path) == []
    with part_file(target) as part:
        part.write(b"a")
        with part_file(target) as second:
            second.write(b"lost")
        assert names(tmp_path) == ["net.part", "net.part.lock"]
    with part_file(target) as part:
        part.write(b"bc")
        assert part.keep_if(Hash("sha1", ABC)) == ABC
    assert names(tmp_path) == ["net"]
    assert target.read_bytes() == b"abc"


def test_a_part_that_cannot_be_opened_does_not_stay_locked(tmp_path: Path) -> None:
    (tmp_path / "net.part").mkdir()
    with pytest.raises(DownloadError, match="net cannot be written to"), part_file(tmp_path / "net"):
        pass
    assert names(tmp_path) == ["net.part"]
