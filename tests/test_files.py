"""What may be opened as a file; of files that are written: test_written, test_explanation."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from predicdiff.errors import ExplanationError, SamplerError
from predicdiff.files import open_regular, regular


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
    (tmp_path / "file").write_bytes(b"content")
    with open_regular(tmp_path / "file", SamplerError) as file:
        assert file.read() == b"content"
