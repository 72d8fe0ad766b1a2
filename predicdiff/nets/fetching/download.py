"""Files from the network: resumed, tried at every mirror, and under their name only once their hash is right."""

from __future__ import annotations

import http.client
import queue
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator, List, NamedTuple, NoReturn, Optional, Sequence, Tuple
from urllib.parse import urljoin, urlsplit

from ...errors import DownloadError, WeightsError
from ...texts import one_line
from .part_file import Hash, PartFile, file_hash, part_file

#: Called with the bytes received so far and the bytes in all (None where no one says).
BytesProgress = Callable[[int, Optional[int]], None]

CHUNK = 1 << 16
LIMIT = 4 << 30
#: How often a cut line is taken up again without at least ``ENOUGH`` new bytes, and the pause before it, in seconds.
RETRIES = 3
ENOUGH = 1 << 20
PAUSE = 0.3
#: A host that sends fewer bytes than this in `Patience`'s ``stall`` seconds is as good as silent.
TRICKLE = 1 << 14
#: What is spoken by the hosts of files, whose hashes are checked.
SCHEMES = ("http", "https")
#: Letters of what a server says that are told.
WORDS = 200


class Patience(NamedTuple):
    """Seconds for a host to be found, connected to and to begin its answer; and of silence until it is given up."""

    timeout: float = 6.0
    stall: float = 10.0


PATIENCE = Patience()


def fetch(
    urls: Sequence[str],
    target: Path,
    *,
    wanted: Hash,
    size: int | None = None,
    limit: int = LIMIT,
    progress: BytesProgress | None = None,
    patience: Patience = PATIENCE,
    unreachable: dict[str, str] | None = None,
) -> Path:
    """Download a file unless it is there; what an interrupted call left is gone on with.

    Parameters
    ----------
    urls : sequence of str
        Mirrors of the same file, the best first.
    target : Path
        Where the file will stand; folders are made.
    wanted : Hash
        Checked before the file gets its name.
    size : int, optional
        Its exact size in bytes, where known: a host that offers another is passed over at once.
    limit : int
        Most bytes ever accepted, where ``size`` is not known.
    patience : Patience
    unreachable : dict, optional
        Hosts found to be away, with the reason: added to, and not asked again. Share it between calls.

    Returns
    -------
    Path
        ``target``

    Raises
    ------
    WeightsError
        If a host sent another file.
    DownloadError
        If no host gave the file, or it cannot be written; the message says what to do by hand.
    """
    job = Job(wanted, size, limit if size is None else size, progress, patience)
    failures = attempt(urls, Path(target), job, {} if unreachable is None else unreachable)
    if failures is not None:
        raise _nothing_came(Path(target), wanted, failures)
    return Path(target)


def attempt(urls: Sequence[str], target: Path, job: Job, unreachable: dict[str, str]) -> Failures | None:
    """As `fetch`: gives None once the file is there, otherwise why each host did not give it."""
    if target.is_file() and file_hash(target, job.wanted.algorithm) == job.wanted.digest:
        return None
    failures: Failures = []
    with part_file(target) as part:
        for url in urls:
            host = urlsplit(url).netloc
            try:
                if host in unreachable:
                    raise _UnreachableError(unreachable[host])
                job.download(url, part)
            except FailedError as failure:
                failures.append((url, failure))
                if isinstance(failure, _UnreachableError):
                    unreachable[host] = str(failure)
            else:
                part.keep()
                return None
    return failures


class FailedError(Exception):
    """Why a URL did not give the file, in a few words, which may be a server's own."""

    def __init__(self, reason: str) -> None:
        super().__init__(one_line(reason, WORDS))


#: URLs that did not give a file, each with the reason.
Failures = List[Tuple[str, FailedError]]


class _UnreachableError(FailedError):
    """The host cannot be found or connected to, or does not answer."""


class _OtherFileError(FailedError):
    """The host gave a file with another hash."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"sent another file ({digest})")
        self.digest = digest


class _CutError(Exception):
    """The transfer ended early; what is in the part is good."""


def _nothing_came(target: Path, wanted: Hash, failures: Failures) -> WeightsError | DownloadError:
    tried = [f"  {url}: {failure}" for url, failure in failures]
    by_hand = f"By hand: put the file whose {wanted.title} is {wanted.digest} at {target}"
    others = [failure.digest for _, failure in failures if isinstance(failure, _OtherFileError)]
    if others:
        return WeightsError(
            f"{target.name}: {wanted.title} is {others[0]}, want {wanted.digest}. "
            "The host has another file under this name; it was not kept.",
            *tried,
            by_hand,
        )
    return DownloadError(f"{target.name}: no host gave the file.", *tried, by_hand)


@dataclass(frozen=True)
class Job:
    """One file to download, and the terms; ``most`` is the largest number of bytes to accept."""

    wanted: Hash
    size: int | None
    most: int
    progress: BytesProgress | None
    patience: Patience

    def download(self, url: str, part: PartFile) -> None:
        """Fill the part from ``url`` and check its hash."""
        resumed = len(part) > 0
        self.pull(url, part)
        digest = part.hash(self.wanted.algorithm)
        if digest != self.wanted.digest and resumed:
            # its beginning may have come from elsewhere: once more, all from here
            part.clear()
            self.pull(url, part)
            digest = part.hash(self.wanted.algorithm)
        if digest != self.wanted.digest:
            part.clear()
            raise _OtherFileError(digest)

    def pull(self, url: str, part: PartFile) -> None:
        """Transfer until all is there, taking up a cut line a bounded number of times."""
        most, tries = len(part), 0
        while True:
            try:
                return self.transfer(url, part)
            except _CutError as cut:
                have = len(part)
                tries = 0 if have >= most + ENOUGH else tries + 1
                most = max(most, have)
                if tries > RETRIES:
                    raise FailedError(f"{cut} after {have:,} bytes") from None
                time.sleep(PAUSE)

    def transfer(self, url: str, part: PartFile) -> None:
        """Make one request, for what is missing."""
        if len(part) == self.size:
            return
        if len(part) > self.most:
            part.clear()
        have = len(part)
        headers = {"User-Agent": "predicdiff", "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        try:
            response = _open(urllib.request.Request(url, headers=headers), self.patience)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 416 or not have:
                raise FailedError(f"HTTP {error.code} {error.reason}".splitlines()[0]) from None
            if error.headers.get("Content-Range") != f"bytes */{have}":
                part.clear()
                raise _CutError("refuses to go on") from None
            return  # all was there already
        with response:
            self.receive(response, part)

    def receive(self, response: http.client.HTTPResponse, part: PartFile) -> None:
        """Append the body of an answer to the part, or replace the part with it."""
        if response.headers.get_content_type() == "text/html":
            raise FailedError("sent a web page instead of the file")
        received, total = _extent(response)
        if total is not None and (total > self.most or self.size not in (None, total)):
            raise FailedError(f"offers {total:,} bytes, want {'at most ' if self.size is None else ''}{self.most:,}")
        if received != len(part):
            part.clear()
        if received != len(part):
            raise _CutError("answered with another range than asked for")
        expected = total if self.size is None else self.size
        for chunk in self.chunks(response):
            received += len(chunk)
            if received > self.most:
                part.clear()
                raise FailedError(f"sent more than {self.most:,} bytes")
            part.write(chunk)
            if self.progress:
                self.progress(received, expected)
        if expected is not None and received < expected:
            raise _CutError("cut the line")

    def chunks(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        """The body as it comes in, given up when it stops or trickles."""
        since, received = time.monotonic(), 0
        while True:
            try:
                chunk = response.read1(CHUNK)
            except socket.timeout:
                raise FailedError(f"fell silent for {self.patience.stall:g} s") from None
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise _CutError(f"cut the line ({_reason(error)})") from None
            if not chunk:
                return
            yield chunk
            received += len(chunk)
            if time.monotonic() - since > self.patience.stall:
                if received < TRICKLE:
                    raise FailedError(f"sent only {received:,} bytes in {self.patience.stall:g} s")
                since, received = time.monotonic(), 0


def _extent(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """Where in the file an answer starts (-1 if it does not say), and the bytes of the whole file."""
    if response.status != 206:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdigit() else None
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if not match:
        return -1, None
    return int(match[1]), None if match[2] == "*" else int(match[2])


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to where HTTP is spoken, and to nothing else: no FTP, no file of this machine."""

    def http_error_302(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any) -> Any:
        """Go where the answer says."""
        target = urljoin(req.full_url, headers.get("Location", ""))
        if urlsplit(target).scheme not in SCHEMES:
            fp.close()
            raise FailedError(f"sends on to {target}, want {' or '.join(SCHEMES)}")
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _opener() -> urllib.request.OpenerDirector:
    """What opens URLs, through a proxy where the environment names one; of all that urllib can, HTTP alone."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(), urllib.request.UnknownHandler(), urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(), urllib.request.HTTPDefaultErrorHandler(), urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    ):  # fmt: skip
        opener.add_handler(handler)
    return opener


def _open(request: urllib.request.Request, patience: Patience) -> http.client.HTTPResponse:
    """Open a URL; give up after ``patience.timeout`` seconds, whatever they were spent on.

    In a thread of its own, for urllib's limit is one for each address of each host, and looking a name up knows none.
    """
    answers: queue.Queue[object] = queue.Queue()
    given_up = threading.Event()

    def ask() -> None:
        try:
            answers.put(_opener().open(request, timeout=patience.stall))
        except Exception as error:  # of any type: raised again in the caller's thread
            answers.put(error)
        if given_up.is_set():
            _drop(answers)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=patience.timeout)
    except queue.Empty:
        given_up.set()
        _drop(answers)
        raise _UnreachableError(f"no answer within {patience.timeout:g} s") from None
    return answer if isinstance(answer, http.client.HTTPResponse) else _refused(answer)


def _refused(answer: object) -> NoReturn:
    """Raise what came in place of an answer, in our words where it is none of HTTP's."""
    if isinstance(answer, (urllib.error.HTTPError, FailedError)):
        raise answer
    if isinstance(answer, OSError):
        raise _UnreachableError(_reason(answer)) from answer
    if isinstance(answer, (http.client.HTTPException, ValueError)):
        raise FailedError(f"does not speak HTTP ({_reason(answer)})") from answer
    raise FailedError(f"cannot be asked ({type(answer).__name__})")


def _drop(answers: queue.Queue[object]) -> None:
    """Close an answer that came too late for anyone to wait for it."""
    with suppress(queue.Empty):
        answer = answers.get_nowait()
        if isinstance(answer, (http.client.HTTPResponse, urllib.error.HTTPError)):
            answer.close()


def _reason(error: BaseException) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return str(text).splitlines()[0]
