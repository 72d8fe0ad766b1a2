"""A real browser: headless Chromium, spoken to by its own protocol over two pipes, so that nothing else is needed.

https://chromedevtools.github.io/devtools-protocol: messages are JSON with a zero byte behind each.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--force-color-profile=srgb", "--remote-debugging-pipe",
    "--disable-features=IsolateSandboxedIframes",
)  # fmt: skip
KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Tab": 9, "Enter": 13, "Escape": 27, " ": 32}
SHIFT = 8


def executable() -> str | None:
    """The program, where there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A browser with one tab; ``profile`` is an empty folder of its own."""

    def __init__(self, profile: Path) -> None:
        (ours_in, theirs_out), (theirs_in, ours_out) = os.pipe(), os.pipe()
        # it reads from 3 and writes to 4, whatever numbers these pipes have here
        script = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        command = ["bash", "-c", script, str(executable()), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, pass_fds=(theirs_in, theirs_out), start_new_session=True, **quiet)  # type: ignore[call-overload]
        for theirs in (theirs_in, theirs_out):
            os.close(theirs)
        self._in, self._out = os.fdopen(ours_in, "rb", buffering=0), os.fdopen(ours_out, "wb", buffering=0)
        self._number, self._rest, self._session = 0, b"", ""
        #: What the page's programs complained of: errors, and whatever was refused to them.
        self.complaints: list[str] = []
        #: Addresses that were asked for.
        self.asked: list[str] = []
        targets = self.send("Target.getTargets")["targetInfos"]
        tab = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.send("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def close(self) -> None:
        """End it, and whatever it has started."""
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._in.close()
        self._out.close()

    def send(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol, and give what it gives."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self) -> Any:
        """The next message; what it says of complaints and addresses is kept."""
        while b"\0" not in self._rest:
            part = self._in.read(2**20)
            assert part, "the browser has ended"
            self._rest += part
        text, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(text)
        method, told = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(told["exceptionDetails"])[:2000])
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("warning", "error"):
            self.complaints.append(told["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("warning", "error", "assert"):
            self.complaints.append(json.dumps(told["args"])[:2000])
        elif method == "Network.requestWillBeSent":
            self.asked.append(told["request"]["url"])
        return message

    def open(self, path: Path) -> None:
        """Open a file, and wait until the page says that it is ready."""
        self.complaints, self.asked = [], []
        url = path.resolve().as_uri()
        self.send("Page.navigate", url=url)
        here = f"location.href === new URL({json.dumps(url)}).href"
        self.until(f"{here} && document.readyState === 'complete' && document.body.dataset.ready === 'yes'")

    def until(self, condition: str) -> None:
        """Wait until an expression is true, or what the page has complained of says why it will not be."""
        self.run(
            "new Promise((done, wrong) => { let left = 2000; const look = () => { if (" + condition + ") done(); "
            "else if (left-- > 0) setTimeout(look, 10); else wrong(new Error('never came true')); }; look(); })"
        )

    def run(self, expression: str) -> Any:
        """The value of an expression in the page; of a promise what it comes to."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, (expression, answer["exceptionDetails"], self.complaints)
        return answer["result"].get("value")

    def size(self, width: int, height: int, **features: str) -> None:
        """Make the window so large, for a reader who prefers ``features``, as ``prefers_color_scheme="dark"``."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        told = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.send("Emulation.setEmulatedMedia", features=told)

    def mouse(self, kind: str, selector: str, along: float = 0.5, down: float = 0.5) -> None:
        """Move, or press and release (``click``), at a part of the width and of the height of what a selector finds."""
        box = self.run(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)}); "
            "one.scrollIntoView({block: 'center'}); "
            "const {left, top, width, height} = one.getBoundingClientRect(); return [left, top, width, height]; })()"
        )
        at = {"x": box[0] + along * box[2], "y": box[1] + down * box[3]}
        self.send("Input.dispatchMouseEvent", type="mouseMoved", **at)
        if kind == "click":
            for what in ("mousePressed", "mouseReleased"):
                self.send("Input.dispatchMouseEvent", type=what, button="left", clickCount=1, **at)

    def press(self, key: str, times: int = 1, *, shift: bool = False) -> None:
        """Press a key of `KEYS`."""
        text = {"Enter": {"text": "\r"}, " ": {"text": " "}}.get(key, {})
        for _ in range(times):
            how = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key], "modifiers": SHIFT if shift else 0}
            self.send("Input.dispatchKeyEvent", type="keyDown", **how, **text)
            self.send("Input.dispatchKeyEvent", type="keyUp", **how)

    def type_into(self, selector: str, text: str) -> None:
        """Put the cursor into a field, take out what is there, and type."""
        self.run(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)}); one.focus(); one.select(); }})()"
        )
        if text:
            self.send("Input.insertText", text=text)
        else:
            how = {"key": "Delete", "code": "Delete", "windowsVirtualKeyCode": 46}
            self.send("Input.dispatchKeyEvent", type="keyDown", **how)
            self.send("Input.dispatchKeyEvent", type="keyUp", **how)

    def choose(self, selector: str, value: str) -> None:
        """Choose an option of a list, as a user does."""
        self.run(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)}); one.value = {json.dumps(value)}; "
            "for (const name of ['input', 'change']) one.dispatchEvent(new Event(name, {bubbles: true})); })()"
        )

    def text(self, selector: str) -> str:
        """The text of what a selector finds."""
        found: str = self.run(f"document.querySelector({json.dumps(selector)}).textContent")
        return found

    def texts(self, selector: str) -> list[str]:
        """The texts of all that a selector finds."""
        found: list[str] = self.run(
            f"[...document.querySelectorAll({json.dumps(selector)})].map((one) => one.textContent)"
        )
        return found

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """Write a picture of the page as a PNG."""
        taken = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(taken["data"]))

    def pdf(self) -> bytes:
        """The page as it is printed."""
        return base64.b64decode(self.send("Page.printToPDF", printBackground=False)["data"])
