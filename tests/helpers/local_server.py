"""An HTTP server on this machine that serves one file, or some, in every way that goes wrong."""

from __future__ import annotations

import copy
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Mapping


class LocalServer:
    """Serves ``body``; the first part of the path says how (see `WAYS`).

    Of ``files``, by name, it serves those that are asked for, each in the way that ``ways`` says, otherwise well.
    ``log`` holds each request's path and Range header. The server is closed at the end of a ``with`` block.
    """

    def __init__(self, body: bytes, files: Mapping[str, bytes] | None = None) -> None:
        self.body = body
        self.files = dict(files or {})
        self.ways: dict[str, str] = {}
        self.log: list[tuple[str, str | None]] = []
        self.over = threading.Event()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients hang up on purpose
        self.http.local = self  # type: ignore[attr-defined]

    @property
    def other(self) -> bytes:
        """Another file of the same size."""
        return bytes(255 - byte for byte in self.body)

    def url(self, path: str) -> str:
        """Address of a path."""
        return f"http://127.0.0.1:{self.http.server_address[1]}/{path}"

    def ranges(self) -> list[str | None]:
        """Range headers of all requests so far."""
        return [requested for _, requested in self.log]

    def asked(self) -> list[str]:
        """The names of those of ``files`` that were asked for so far."""
        return [path[len("/files/") :] for path, _ in self.log if path.startswith("/files/")]

    def __enter__(self) -> LocalServer:
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.http.shutdown()
        self.http.server_close()


class Handler(BaseHTTPRequestHandler):
    """One request, answered in the way that its path names."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer, and hang up."""
        local: LocalServer = self.server.local  # type: ignore[attr-defined]
        local.log.append((self.path, self.headers.get("Range")))
        self.close_connection = True
        way, _, argument = self.path.strip("/").partition("/")
        WAYS[way](self, local, argument)

    def start(self) -> int:
        """Where the client wants to start."""
        return int((self.headers.get("Range") or "bytes=0-")[len("bytes=") : -1])

    def head(self, status: int, **headers: Any) -> None:
        """Send the first lines; ``Content_Type`` stands for Content-Type."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def good(handler: Handler, local: LocalServer, argument: str, body: bytes | None = None) -> None:
    """As a good server does; ``good/N`` breaks off after N bytes of each answer."""
    whole = local.body if body is None else body
    start, size = handler.start(), len(whole)
    if start >= size:
        handler.head(416, Content_Range=f"bytes */{size}", Content_Length=0)
        return
    if start:
        handler.head(206, Content_Range=f"bytes {start}-{size - 1}/{size}", Content_Length=size - start)
    else:
        handler.head(200, Content_Length=size, Content_Type="application/octet-stream")
    handler.wfile.write(whole[start:][: int(argument or size)])


def other(handler: Handler, local: LocalServer, argument: str) -> None:
    """Another file of the same size."""
    good(handler, local, argument, local.other)


def norange(handler: Handler, local: LocalServer, argument: str) -> None:
    """Everything from the start, whatever was asked for; ``norange/N`` breaks off."""
    handler.head(200, Content_Length=len(local.body))
    handler.wfile.write(local.body[: int(argument or len(local.body))])


def wrongrange(handler: Handler, local: LocalServer, argument: str) -> None:
    """Another range than asked for."""
    start = handler.start() // 2
    size = len(local.body)
    if handler.start():
        handler.head(206, Content_Range=f"bytes {start}-{size - 1}/{size}", Content_Length=size - start)
        handler.wfile.write(local.body[start:])
    else:
        good(handler, local, argument)


def claims(handler: Handler, local: LocalServer, argument: str) -> None:
    """``claims/N``: the file, with N as its size."""
    handler.head(200, Content_Length=argument)
    handler.wfile.write(local.body[: int(argument)])


def nolength(handler: Handler, local: LocalServer, argument: str) -> None:
    """Without saying how long it is."""
    handler.head(200)
    handler.wfile.write(local.body)


def endless(handler: Handler, local: LocalServer, argument: str) -> None:
    """And so on for ever."""
    handler.head(200)
    while not local.over.is_set():
        handler.wfile.write(local.body)


def chunked(handler: Handler, local: LocalServer, argument: str) -> None:
    """In HTTP's chunks; ``chunked/N`` breaks off before chunk N."""
    handler.head(200, Transfer_Encoding="chunked")
    for index, at in enumerate(range(0, len(local.body), 1000)):
        if str(index) == argument:
            return
        piece = local.body[at : at + 1000]
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    handler.wfile.write(b"0\r\n\r\n")


def html(handler: Handler, local: LocalServer, argument: str) -> None:
    """A web page, as an apology."""
    page = b"<html>Come back tomorrow.</html>"
    handler.head(200, Content_Type="text/html; charset=utf-8", Content_Length=len(page))
    handler.wfile.write(page)


def status(handler: Handler, local: LocalServer, argument: str) -> None:
    """``status/N``: an error."""
    handler.head(int(argument), Content_Length=0)


def redirect(handler: Handler, local: LocalServer, argument: str) -> None:
    """``redirect/PATH``: sends the client on."""
    handler.head(302, Location="/" + argument, Content_Length=0)


def elsewhere(handler: Handler, local: LocalServer, argument: str) -> None:
    """``elsewhere/URL``: sends the client to any address."""
    handler.head(302, Location=argument, Content_Length=0)


def rude(handler: Handler, local: LocalServer, argument: str) -> None:
    """An error whose reason speaks to a terminal, at length."""
    handler.send_response(503, "\x1b]0;owned\x07\x9b2J" + "x" * 10_000)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def loop(handler: Handler, local: LocalServer, argument: str) -> None:
    """Sends the client round."""
    handler.head(302, Location="/loop", Content_Length=0)


def silent(handler: Handler, local: LocalServer, argument: str) -> None:
    """Never answers."""
    local.over.wait(20)


def mute(handler: Handler, local: LocalServer, argument: str) -> None:
    """Stops talking in the middle, without hanging up."""
    good(handler, local, str(len(local.body) // 2))
    handler.wfile.flush()
    local.over.wait(20)


def trickle(handler: Handler, local: LocalServer, argument: str) -> None:
    """A byte at a time."""
    handler.head(200, Content_Length=len(local.body))
    for byte in local.body:
        if local.over.is_set():
            return
        handler.wfile.write(bytes([byte]))
        time.sleep(0.02)


def gibberish(handler: Handler, local: LocalServer, argument: str) -> None:
    """Does not speak HTTP."""
    handler.wfile.write(b"220 mail.example.org ESMTP\r\n\r\n")


def files(handler: Handler, local: LocalServer, argument: str) -> None:
    """``files/NAME``: one of the files, in its way."""
    way, _, how = local.ways.get(argument, "good").partition("/")
    one = copy.copy(local)
    one.body = local.files[argument]
    WAYS[way](handler, one, how)


WAYS: dict[str, Callable[[Handler, LocalServer, str], None]] = {
    way.__name__: way
    for way in (
        *(good, other, norange, wrongrange, claims, nolength, endless, chunked, html),
        *(status, redirect, elsewhere, rude, loop, silent, mute, trickle, gibberish, files),
    )
}
