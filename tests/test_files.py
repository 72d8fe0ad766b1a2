"""Files appear whole or not at all; of what is in them: test_explanation, samplers/test_gaussian_saved."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from predicdiff.errors import ExplanationError, SamplerError
from predicdiff.files import open_regular, regular, written_whole


def fill(path: Path) -> bytes:
    """A file that was there before."""
    path.write_bytes(b"the earlier result")
    return path.read_bytes()


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


def test_a_killed_run_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "cat.json"
    before = fill(path)
    script = (
        "import sys; from pathlib import Path; from predicdiff.files import written_whole\n"
        "with written_whole(Path(sys.argv[1])) as part:\n"
        "    part.write_bytes(b'half'); print('ready', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
    assert path.read_bytes() == before


@pytest.mark.parametrize("error", [ExplanationError, SamplerError])
def test_the_error_is_the_one_asked_for(tmp_path: Path, error: type) -> None:
    fill(tmp_path / "file")
    place = tmp_path / "file" / "cat.json"
    with pytest.raises(error, match=r"cat\.json: cannot be written \(.+\)\. Choose another place"), written_whole(
        place, error=error
    ):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no pipes with a name")
def test_pipes_devices_sockets_and_folders_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # since a socket's path must be short
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
    for name, what in (("pipe", "pipe"), ("link", "pipe"), ("folder", "folder"), ("socket", "socket")):
        with pytest.raises(SamplerError, match=rf"{name}: a {what}, want the path of a file\. Do so\.$"):
            regular(tmp_path / name, SamplerError, "Do so.")
    with pytest.raises(ExplanationError, match=r"^/dev/zero: a device, want the path of a file\.$"):
        regular("/dev/zero", ExplanationError)
    regular(tmp_path / "nothing", ExplanationError)
    regular("no\0name", ExplanationError)


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no pipes with a name")
def test_a_pipe_in_the_place_of_the_file_that_was_looked_at_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr("predicdiff.files.regular", lambda *arguments: None)
    with pytest.raises(SamplerError, match="pipe: a pipe, want the path of a file"):
        open_regular(tmp_path / "pipe", SamplerError)
    before = fill(tmp_path / "file")
    with open_regular(tmp_path / "file", SamplerError) as file:
        assert file.read() == before
