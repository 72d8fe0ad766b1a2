"""Downloads from a server on this machine that cuts the line, lies, is silent, or sends something else."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.local_server import LocalServer
from hypothesis import given, settings
from hypothesis import strategies as st

from predicdiff.errors import DownloadError, WeightsError
from predicdiff.nets.fetching import download
from predicdiff.nets.fetching.download import Patience, fetch
from predicdiff.nets.fetching.part_file import Hash

BODY = np.random.default_rng(0).integers(0, 256, 200_000, np.uint8).tobytes()
SHA1 = Hash("sha1", hashlib.sha1(BODY).hexdigest())


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses between tries, no proxy on the way to this machine."""
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer(BODY) as running:
        yield running


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "net.caffemodel"


@pytest.fixture
def closed() -> str:
    """Address of a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/net"


def get(server: LocalServer, target: Path, *paths: str, **options: Any) -> Path:
    options = dict({"wanted": SHA1, "size": len(BODY), "patience": Patience(5.0, 5.0)}, **options)
    return fetch([server.url(path) for path in paths], target, **options)


def left(target: Path) -> list[str]:
    """Names of what lies in the target's folder."""
    return sorted(path.name for path in target.parent.iterdir())


def leave_part(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{target}.part").write_bytes(content)


def test_a_file_comes_whole_and_leaves_nothing_beside_it(server: LocalServer, target: Path) -> None:
    assert get(server, target, "good") == target
    assert target.read_bytes() == BODY
    assert left(target) == ["net.caffemodel"]


def test_progress_rises_to_the_size(server: LocalServer, target: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    get(server, target, "good", progress=lambda *at: seen.append(at))
    received = [have for have, _ in seen]
    assert received == sorted(received)
    assert seen[-1] == (len(BODY), len(BODY))


def test_progress_of_a_resumed_file_starts_where_it_was(server: LocalServer, target: Path) -> None:
    leave_part(target, BODY[:150_000])
    seen: list[int] = []
    get(server, target, "good", progress=lambda have, _: seen.append(have))
    assert min(seen) > 150_000


def test_a_whole_file_is_not_asked_for(server: LocalServer, target: Path) -> None:
    leave_part(target, b"")
    target.write_bytes(BODY)
    get(server, target, "good")
    assert server.log == []


def test_a_changed_file_is_replaced(server: LocalServer, target: Path) -> None:
    leave_part(target, b"")
    target.write_bytes(BODY[:-1])
    get(server, target, "good")
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("way", ["nolength", "chunked", "redirect/good", "norange"])
def test_servers_differ(server: LocalServer, target: Path, way: str) -> None:
    get(server, target, way, size=None)
    assert target.read_bytes() == BODY


def test_what_came_before_is_gone_on_with(server: LocalServer, target: Path) -> None:
    leave_part(target, BODY[:70_000])
    get(server, target, "good")
    assert target.read_bytes() == BODY
    assert server.ranges() == ["bytes=70000-"]


def test_a_redirected_request_still_goes_on(server: LocalServer, target: Path) -> None:
    leave_part(target, BODY[:70_000])
    get(server, target, "redirect/good")
    assert target.read_bytes() == BODY
    assert server.log[-1] == ("/good", "bytes=70000-")


@settings(max_examples=40)
@given(
    size=st.integers(1, 5000),
    have=st.integers(0, 6000),
    garbage=st.booleans(),
    way=st.sampled_from(["good", "norange", "wrongrange", "chunked", "nolength", "redirect/good"]),
    known=st.booleans(),
)
def test_whatever_came_before_the_file_is_right(size: int, have: int, garbage: bool, way: str, known: bool) -> None:
    body = BODY[:size]
    before = (BODY[1:] if garbage else body)[:have]
    with LocalServer(body) as server, tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "net"
        leave_part(target, before)
        wanted = Hash("sha1", hashlib.sha1(body).hexdigest())
        get(server, target, way, wanted=wanted, size=size if known else None)
        assert target.read_bytes() == body
        assert left(target) == ["net"]


def test_a_cut_line_is_taken_up_where_it_was_cut(server: LocalServer, target: Path) -> None:
    get(server, target, "good/80000")
    assert target.read_bytes() == BODY
    assert server.ranges() == [None, "bytes=80000-", "bytes=160000-"]


def test_a_line_that_is_cut_again_and_again_is_given_up_and_kept_for_later(server: LocalServer, target: Path) -> None:
    with pytest.raises(DownloadError, match=r"cut the line after 4,000 bytes"):
        get(server, target, "good/1000")
    assert len(server.log) == 1 + download.RETRIES
    assert left(target) == ["net.caffemodel.part"]
    get(server, target, "good")
    assert server.ranges()[-1] == "bytes=4000-"
    assert target.read_bytes() == BODY


def test_a_cut_line_of_a_server_that_starts_over_is_given_up(server: LocalServer, target: Path) -> None:
    with pytest.raises(DownloadError, match="cut the line after 150,000 bytes"):
        get(server, target, "norange/150000")
    assert len(server.log) == 1 + download.RETRIES


def test_a_large_file_may_be_cut_more_often(tmp_path: Path) -> None:
    body = BODY * 40
    step = download.ENOUGH + 1
    with LocalServer(body) as server:
        get(server, tmp_path / "net", f"good/{step}", wanted=Hash("sha1", hashlib.sha1(body).hexdigest()), size=None)
        assert len(server.log) == -(-len(body) // step) > 1 + download.RETRIES
    assert (tmp_path / "net").read_bytes() == body


def test_another_mirror_goes_on_where_the_first_was_cut(server: LocalServer, target: Path) -> None:
    get(server, target, "good/1000", "good")
    assert server.log[-1] == ("/good", "bytes=4000-")
    assert target.read_bytes() == BODY


def test_cut_chunks_are_noticed(server: LocalServer, target: Path) -> None:
    with pytest.raises(DownloadError, match="cut the line"):
        get(server, target, "chunked/3")


def test_a_part_that_is_whole_needs_no_request(server: LocalServer, target: Path) -> None:
    leave_part(target, BODY)
    get(server, target, "status/404")
    assert server.log == []
    assert target.read_bytes() == BODY


def test_a_wrong_size_is_not_downloaded(server: LocalServer, target: Path) -> None:
    with pytest.raises(DownloadError, match="offers 100 bytes, want 200,000"):
        get(server, target, "claims/100")


def test_a_mirror_with_another_file_does_not_undo_what_came_before(server: LocalServer, target: Path) -> None:
    leave_part(target, BODY[:70_000])
    get(server, target, "html", "claims/100", "status/404", "good")
    assert server.log[-1] == ("/good", "bytes=70000-")


def test_a_size_said_too_small_is_caught_by_the_hash(server: LocalServer, target: Path) -> None:
    with pytest.raises(WeightsError, match="SHA-1 is"):
        get(server, target, "claims/100", size=None)


def test_a_size_said_too_large_is_a_cut_line(server: LocalServer, target: Path) -> None:
    with pytest.raises(DownloadError, match="cut the line"):
        get(server, target, "claims/300000", size=None)


@pytest.mark.parametrize(
    ("way", "reason"),
    [("endless", "sent more than 300,000 bytes"), ("claims/300001", "offers 300,001 bytes, want at most 300,000")],
)
def test_a_file_of_unknown_size_has_a_limit(server: LocalServer, target: Path, way: str, reason: str) -> None:
    with pytest.raises(DownloadError, match=reason):
        get(server, target, way, size=None, limit=300_000)
    assert left(target) == []


def test_another_file_is_refused_by_its_hash_and_not_kept(server: LocalServer, target: Path) -> None:
    digest = hashlib.sha1(server.other).hexdigest()
    with pytest.raises(WeightsError, match=f"net.caffemodel: SHA-1 is {digest}, want {SHA1.digest}"):
        get(server, target, "other")
    assert left(target) == []


@pytest.mark.parametrize("bad", ["other", "html", "status/404", "status/500", "loop", "claims/7", "gibberish"])
def test_the_next_mirror_helps(server: LocalServer, target: Path, bad: str) -> None:
    get(server, target, bad, "good")
    assert target.read_bytes() == BODY


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("html", "sent a web page"),
        ("status/404", "HTTP 404 Not Found"),
        ("status/500", "HTTP 500 Internal Server Error"),
        ("status/416", "HTTP 416"),
        ("loop", "HTTP 302 .*loop"),
        ("rude", r"HTTP 503 \\x1b\]0;owned\\x07\\x9b2Jx{80,180}\.\.\.x{20,80}\n"),
        ("elsewhere/ftp://127.0.0.1/x", "sends on to ftp://127.0.0.1/x, want http or https\n"),
        ("elsewhere/file:///etc/hostname", "sends on to file:///etc/hostname, want http or https\n"),
        ("gibberish", "does not speak HTTP .220 mail"),
    ],
)
def test_each_failure_is_named(server: LocalServer, target: Path, way: str, reason: str) -> None:
    with pytest.raises(DownloadError, match=f"no host gave the file[^|]*/{way}: {reason}"):
        get(server, target, way)


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("silent", "no answer within 0.2 s"),
        ("mute", "fell silent for 0.3 s"),
        ("trickle", r"sent only \d+ bytes in 0.3 s"),
    ],
)
def test_a_silent_host_is_not_waited_for(server: LocalServer, target: Path, way: str, reason: str) -> None:
    with pytest.raises(DownloadError, match=reason):
        get(server, target, way, patience=Patience(0.2, 0.3))


def test_hosts_that_are_away_are_listed_with_what_to_do_by_hand(closed: str, target: Path) -> None:
    urls = [closed, "http://nowhere.invalid/net"]
    with pytest.raises(DownloadError) as caught:
        fetch(urls, target, wanted=SHA1, patience=Patience(5.0))
    lines = str(caught.value).splitlines()
    assert lines[0] == "net.caffemodel: no host gave the file."
    assert [line.split(": ")[0].strip() for line in lines[1:3]] == urls
    assert "refused" in lines[1]
    assert lines[3] == f"By hand: put the file whose SHA-1 is {SHA1.digest} at {target}"
    assert left(target) == []


def test_a_host_that_is_away_is_asked_only_once(server: LocalServer, target: Path) -> None:
    away: dict[str, str] = {}
    for _ in range(2):
        with pytest.raises(DownloadError, match=r"no answer within 0\.2 s"):
            get(server, target, "silent", "silent", patience=Patience(0.2, 5.0), unreachable=away)
    assert len(server.log) == 1


def test_many_at_once_do_not_disturb_each_other(server: LocalServer, target: Path) -> None:
    results: list[Path] = []
    threads = [threading.Thread(target=lambda: results.append(get(server, target, "good/90000"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [target] * 8
    assert target.read_bytes() == BODY
    assert left(target) == ["net.caffemodel"]


def test_a_folder_that_cannot_be_made_is_said(server: LocalServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match=r"net cannot be written to .*file.*PREDICDIFF_CACHE"):
        get(server, tmp_path / "file" / "cache" / "net", "good")


def test_a_full_disk_is_said_and_nothing_gets_the_name(server: LocalServer, target: Path) -> None:
    resource = pytest.importorskip("resource")
    assert resource is not None
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from predicdiff.errors import DownloadError\n"
        "from predicdiff.nets.fetching.download import fetch\n"
        "from predicdiff.nets.fetching.part_file import Hash\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        "    fetch([sys.argv[1]], Path(sys.argv[2]), wanted=Hash('sha1', sys.argv[3]))\n"
        "except DownloadError as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-W", "error", "-c", program, server.url("good"), str(target), SHA1.digest]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    assert "net.caffemodel cannot be written" in done.stdout
    assert left(target) == ["net.caffemodel.part"]
