"""Two `make`s at once: one sets an environment up or removes it, and never beneath a job of the other.

Python is a stub here, and so is what Caffe's Python is begun by.
"""

from __future__ import annotations

import os
import re
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


def make(checkout: Path, *arguments: str, stdout: int | None = None) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "PYTHON=./stub", *arguments]
    return subprocess.Popen(command, cwd=checkout, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True)


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


def test_every_recipe_locks_the_environments_that_it_uses(checkout: Path) -> None:
    for environment in (".venv", ".venv-doors", ".venv-docs"):
        (checkout / environment).mkdir()
        (checkout / environment / ".ready").touch()
    for constraints in ("constraints-doors.txt", "constraints-docs.txt"):
        (checkout / constraints).touch()
        os.utime(checkout / constraints, (0, 0))
    targets = re.findall(r"^([a-z0-9-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    with make(checkout, "--dry-run", *targets, stdout=subprocess.PIPE) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    commands = [line.strip() for line in output.replace("\\\n", " ").splitlines()]
    jobs = [(command, place) for command in commands for place in re.findall(r"(\.venv\S*)/bin/", command)]
    assert len(jobs) > len(targets) / 2
    for command, place in jobs:
        assert f"locked.py shared {place}.lock " in command.partition(f"{place}/bin/")[0], command
    (removal,) = [command for command in commands if "rm -rf" in command]
    for place in (".venv", ".venv-doors", ".venv-docs", ".caffe"):
        assert f"locked.py alone {place}.lock " in removal.partition("rm -rf")[0]
        assert f" {place} " in removal.partition("rm -rf")[2]


@pytest.mark.skipif(shutil.which("flock") is None, reason="flock(1) is not installed")
def test_caffe_runs_under_a_lock_of_its_root_that_others_share(tmp_path: Path) -> None:
    (tmp_path / "caffe").mkdir()
    (tmp_path / "caffe" / ".ready").touch()
    lock = tmp_path / "caffe.lock"
    begun = f"flock --shared --nonblock {lock} true && ! flock --nonblock {lock} true && echo shared"
    for name, does in (("id", "echo 0"), ("unshare", begun)):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "CAFFE_ROOT": str(tmp_path / "caffe")}
    command = [str(ROOT / "tests" / "caffe-python"), "-c", ""]
    assert subprocess.check_output(command, env=environment, text=True, timeout=60) == "shared\n"
