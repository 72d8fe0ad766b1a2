"""Several processes that fetch the same file at once: all end well, and nothing is left beside it."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from helpers.local_server import LocalServer

pytest.importorskip("fcntl")

BODY = bytes(range(256)) * 4000
FETCH = """
import sys
from predicdiff.nets.fetching import weights
from predicdiff.nets.fetching.manifest import Archive, Source
kind, url, sha1, sha256, size = sys.argv[1:]
archive = Archive("net.tar", sha256, int(size), (url,)) if kind == "archive" else None
source = Source("net.caffemodel", sha1, urls=() if archive else (url,), archive=archive)
print("ready", flush=True); sys.stdin.readline()
print(weights._fetch(None, source, None, {}).read_bytes() == bytes(range(256)) * 4000)
"""


@pytest.mark.parametrize("kind", ["file", "archive"])
def test_all_end_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("PREDICDIFF_CACHE", str(tmp_path))
    served = BODY
    if kind == "archive":
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            item = tarfile.TarInfo("folder/net.caffemodel")
            item.size = len(BODY)
            tar.addfile(item, io.BytesIO(BODY))
        served = packed.getvalue()
    folder = tmp_path / "nets"
    folder.mkdir()
    (folder / "net.caffemodel.0123456789ab.part").write_bytes(b"of a second fetch that was killed")
    (folder / "net.caffemodel.0123456789ab.parts").mkdir()
    hashes = [hashlib.sha1(BODY).hexdigest(), hashlib.sha256(served).hexdigest()]
    with LocalServer(served) as server:
        command = [sys.executable, "-c", FETCH, kind, server.url("good"), *hashes, str(len(served))]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        processes = [subprocess.Popen(command, **pipes) for _ in range(4)]  # type: ignore[call-overload]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        assert [process.communicate(timeout=60)[0] for process in processes] == ["True\n"] * 4
        assert len(server.log) == 1
    assert [path.name for path in folder.iterdir()] == ["net.caffemodel"]
