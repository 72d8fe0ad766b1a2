"""One run alone writes a file of tiles, whatever else lies or is put at its name."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predicdiff import flock, locks
from predicdiff.errors import ExplanationError, InputWarning
from predicdiff.flock import is_at
from predicdiff.journal import Journal
from predicdiff.locks import InUseError, open_locked

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")

#: Holds a journal until it is killed.
HOLDING = """
import sys
from pathlib import Path
import numpy as np
from predicdiff.journal import Journal

with Journal(Path(sys.argv[1]), {"a": 1}, {}) as journal:
    journal.add(0, np.zeros(3))
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cat.tiles"


def test_another_process_is_named_and_its_death_frees_the_file(path: Path) -> None:
    command = [sys.executable, "-c", HOLDING, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        before = path.read_bytes()
        for restart in (False, True):
            with pytest.raises(InUseError, match=rf"another run works on it \(process {process.pid} on .+, since 20"):
                Journal(path, {"a": 1}, {}, restart=restart).__enter__()
        Journal(path, {"a": 1}, {}).remove()
        assert path.read_bytes() == before
        process.kill()
        process.wait()
    with Journal(path, {"a": 1}, {}) as journal:
        assert list(journal.tiles) == [0]


#: Finishes a tile, and is killed or goes on while a process that it has forked lives.
FORKING = """
import os, signal, sys
from pathlib import Path
import numpy as np
from predicdiff.journal import Journal

with Journal(Path(sys.argv[1]), {"a": 1}, {}) as journal:
    journal.add(0, np.zeros(3))
    if os.fork() == 0:
        print("forked", flush=True)
        sys.stdin.read()
        sys.exit()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_process_itself_is_not_called_another_run(path: Path) -> None:
    said = pytest.raises(InUseError, match=r"cat\.tiles: this process works on it already, since 20")
    with Journal(path, {"a": 1}, {}), said:
        Journal(path, {"a": 1}, {}).__enter__()


def test_a_process_that_the_run_has_forked_does_not_hold_its_lock(path: Path) -> None:
    command = [sys.executable, "-c", FORKING, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "forked\n"
        process.wait()
        with Journal(path, {"a": 1}, {}) as journal:
            assert list(journal.tiles) == [0]
            journal.add(1, np.zeros(3))
    with Journal(path, {"a": 1}, {}) as journal:  # the other has ended since, and left it as it was
        assert list(journal.tiles) == [0, 1]
        assert journal._file is not None
        other = os.dup(journal._file.fileno())  # as of a process that was forked by no Python
    with Journal(path, {"a": 1}, {}) as journal:
        assert list(journal.tiles) == [0, 1]
    os.close(other)


def test_a_file_that_was_deleted_while_it_was_waited_for_is_not_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first holder finishes between the second's opening and its locking."""
    path.write_bytes(b"first")
    lock, deleted = locks._lock, []

    def late(file: Any, where: Path) -> bool:
        if not deleted:
            deleted.append(True)
            path.unlink()
        return lock(file, where)

    monkeypatch.setattr(locks, "_lock", late)
    file, held = open_locked(path)
    with file:
        assert held
        assert is_at(file.fileno(), path)
        assert file.read() == b""


def test_a_journal_does_not_delete_what_took_its_name(path: Path) -> None:
    with Journal(path, {"a": 1}, {}) as journal:
        path.unlink()
        path.write_bytes(b"another's")
        journal.remove()
    assert path.read_bytes() == b"another's"


def test_restart_takes_what_is_ours_alone(path: Path) -> None:
    with Journal(path, {"a": 1}, {}) as journal:
        journal.add(0, np.zeros(3))
    with Journal(path, {"a": 2}, {}, restart=True) as journal:
        assert not journal.tiles
    assert not path.exists(), "without a tile nothing is left"
    path.write_bytes(b"my thesis")
    with pytest.raises(ExplanationError, match=r"is something else\. Move it away"):
        Journal(path, {"a": 1}, {}, restart=True).__enter__()
    assert path.read_bytes() == b"my thesis"


@pytest.mark.parametrize("target", ["there", "not there"])
def test_a_planted_link_is_refused_and_its_target_left(path: Path, tmp_path: Path, target: str) -> None:
    aim = tmp_path / "aim"
    if target == "there":
        aim.write_bytes(b"")
    path.symlink_to(aim)
    with pytest.raises(ExplanationError, match="a link, which is not followed here"):
        Journal(path, {"a": 1}, {}, restart=True).__enter__()
    assert (aim.read_bytes() == b"") if target == "there" else not aim.exists()


def test_a_pipe_is_refused_at_once(path: Path) -> None:
    os.mkfifo(path)
    for call in (Journal(path, {}, {}).__enter__, Journal(path, {}, {}).look):
        with pytest.raises(ExplanationError, match="a pipe, want the path of a file"):
            call()


def test_where_there_are_no_locks_a_warning_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def none(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(flock.fcntl, "flock", none)
    with pytest.warns(InputWarning, match="has no locks"), Journal(path, {"a": 1}, {}) as journal:
        journal.add(0, np.zeros(3))
    assert path.exists()
