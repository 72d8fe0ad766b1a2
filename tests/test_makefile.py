"""Two `make`s at once: one sets the environment up, and never beneath a job of the other. Python is a stub here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.places import ROOT

pytest.importorskip("fcntl")
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")

# sets up an environment of itself; the test suite is a job that ends when it is told to
STUB = """#!/bin/sh
case "$*" in
  "-m venv --clear .venv") echo clear >> log; rm -rf .venv; mkdir -p .venv/bin; cp stub .venv/bin/python ;;
  "-m pip "*) echo installed >> log ;;
  "-m pytest") echo begins >> log; while [ ! -e over ]; do sleep 0.05; done; ls .venv/.ready >> log ;;
  *) exec {python} "$@" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / ".ci" / "locked.py", tmp_path / ".ci")
    for name in ("pyproject.toml", "setup.py", "constraints.txt"):
        (tmp_path / name).touch()
    (tmp_path / "stub").write_text(STUB.format(python=sys.executable))
    (tmp_path / "stub").chmod(0o755)
    return tmp_path


def make(checkout: Path, target: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "PYTHON=./stub", target]
    return subprocess.Popen(command, cwd=checkout, env=environment, stderr=subprocess.PIPE, text=True)


def log(checkout: Path) -> list[str]:
    path = checkout / "log"
    return path.read_text().split() if path.exists() else []


def test_two_that_begin_at_once_set_it_up_once(checkout: Path) -> None:
    both = [make(checkout, "venv") for _ in range(2)]
    for process in both:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert log(checkout) == ["clear", "installed"]


def test_nothing_is_cleared_beneath_a_job(checkout: Path) -> None:
    with make(checkout, "test") as job:
        while "begins" not in log(checkout):
            assert job.poll() is None
            time.sleep(0.02)
        os.utime(checkout / ".venv" / ".ready", (0, 0))  # as if pyproject.toml had changed since
        with make(checkout, "venv") as other:
            assert other.stderr is not None
            waits = other.stderr.readline()
            (checkout / "over").touch()
    assert waits == "Waiting for another make, which holds .venv.lock.\n"
    assert (job.returncode, other.returncode) == (0, 0)
    assert log(checkout) == ["clear", "installed", "begins", ".venv/.ready", "clear", "installed"]
