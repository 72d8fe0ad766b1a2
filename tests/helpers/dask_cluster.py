"""A scheduler and workers of Dask, as processes of this machine that end with the test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from .places import ROOT

PATIENCE = 60  # seconds for whatever is waited for
#: Options of those that a SIGKILL kills, and nobody starts again.
ALONE = ("--no-nanny",)


class Cluster:
    """A scheduler at a port that the system chose; workers are started one by one.

    Parameters
    ----------
    folder : path
        For what the processes print, and write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = ""
        self.workers: list[subprocess.Popen[bytes]] = []
        self.scheduler = self.start_scheduler("0")

    def start_scheduler(self, port: str | None = None) -> subprocess.Popen[bytes]:
        """Start one at a port; by default where the one before it was."""
        told = self.folder / "scheduler.json"
        told.unlink(missing_ok=True)
        port = self.address.rpartition(":")[2] if port is None else port
        options = ("--host", "127.0.0.1", "--port", port, "--no-dashboard", "--scheduler-file", str(told))
        self.scheduler = self._started("dask_scheduler", *options)
        until = time.monotonic() + PATIENCE
        while not self._address(told):
            assert time.monotonic() < until, (self.folder / "log").read_text()
            time.sleep(0.02)
        return self.scheduler

    def start_worker(
        self, *options: str, threads: int = 1, environment: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a worker, which a SIGKILL ends unless the options say otherwise."""
        folder = ("--local-directory", str(self.folder), "--no-dashboard", "--nthreads", str(threads))
        memory = () if "--memory-limit" in options else ("--memory-limit", "0")
        words = (self.address, *folder, *memory, *(options or ALONE))
        self.workers.append(self._started("dask_worker", *words, environment=environment))
        return self.workers[-1]

    @staticmethod
    def kill(process: subprocess.Popen[bytes]) -> None:
        """End a process by SIGKILL."""
        process.kill()
        process.wait()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in (*self.workers, self.scheduler):
            with suppress(ProcessLookupError):  # with whatever it has started
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _started(self, what: str, *options: str, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        paths = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{what}", *options], stdout=log, stderr=log,
                start_new_session=True, cwd=self.folder, env={**os.environ, "PYTHONPATH": paths, **(environment or {})},
            )  # fmt: skip

    def _address(self, told: Path) -> str:
        with suppress(OSError, ValueError, KeyError):
            self.address = json.loads(told.read_text())["address"]
            return self.address
        return ""
