"""A run that is stopped in the middle, from outside: what it leaves, and how it goes on."""

from __future__ import annotations

import os
import signal
import sys

import numpy as np
import pytest
from helpers.engines import ENGINES, needed

from predicdiff.explanation import Explanation

pytestmark = needed
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and limits")


#: Runs the command line in a process that sends itself a signal in the middle of a tile.
STOPPED = """
import importlib, os, signal as signals, sys
from predicdiff.cli import main

signals.signal(signals.SIGINT, signals.default_int_handler)  # ignored by what a shell starts in the background

module = importlib.import_module("predicdiff.algorithm")
evaluate, left, signal = module.evaluate_tile, [int(sys.argv[1])], int(sys.argv[2])

def stopped(*given):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal)
    return evaluate(*given)

module.evaluate_tile = stopped
main(sys.argv[3:], prog_name="predicdiff")
"""


@pytest.fixture
def long(net, fitted, picture):
    """A run of 121 windows in 4 tiles; on a GPU it would be one."""
    windows = ["-k", 4, "--stride", 2, "-S", 20, "--batch-size", 16]
    return ["explain", picture, *net, *fitted, *windows, "--device", "cpu"]


def left(folder):
    """Names of the files that a run for a.h5 left, hidden ones too."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith((".", "a.")))


@pytest.fixture
def one_thread():
    """As many as `program` has, since products of several threads differ in the last bit from those of one."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_killed_it_goes_on_to_the_same_bits(program, cli, long, tmp_path):
    process = program([2, int(signal.SIGKILL), *long, "-o", "a.h5"], code=STOPPED)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (-signal.SIGKILL, "")
    assert left(tmp_path) == ["a.h5.tiles"]
    result = cli(*long, "-o", "a.h5")
    assert result.exit_code == 0, result.output
    assert "Taking up 64 finished windows of 121." in result.output
    assert left(tmp_path) == ["a.h5", "a.png"]
    assert cli(*long, "-o", "whole.h5", "-q").exit_code == 0
    found, expected = Explanation.load(tmp_path / "a.h5"), Explanation.load(tmp_path / "whole.h5")
    np.testing.assert_array_equal(found.relevance, expected.relevance)
    np.testing.assert_array_equal(found.stderr, expected.stderr)


def test_the_keyboard_leaves_a_sentence(program, long, tmp_path):
    process = program([2, int(signal.SIGINT), *long, "-o", "a.h5"], code=STOPPED)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert errors == "Interrupted. What is finished is in a.h5.tiles: the same command goes on from there.\n"
    assert left(tmp_path) == ["a.h5.tiles"]


@pytest.mark.parametrize(
    ("room", "what", "kept"),
    [
        (10, "a.h5.tiles: finished tiles cannot be kept", ["a.h5.tiles"]),
        (2500, "a.h5.tiles: finished tiles cannot be written", ["a.h5.tiles"]),
        (8000, "a.h5: cannot be written", ["a.h5.tiles"]),
        (40_000, "a.svg: cannot be written", ["a.h5"]),
    ],
)
def test_a_full_disk(program, cli, net, fitted, picture, tmp_path, room, what, kept):
    import resource

    if room == 10 and ENGINES[0] == "caffe":
        what, kept = "Caffe reads the net from a temporary file, which cannot be written", []

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    run = ["explain", picture, *net, *fitted, "-k", 8, "--stride", 8, "-S", 150, "-o", "a.h5", "--figure", "a.svg"]
    process = program(run, preexec_fn=limit)
    _, errors = process.communicate()
    assert process.returncode == 2
    assert errors.count("\n") == 1
    assert errors.startswith(f"Error: {what} (File too large)")
    assert left(tmp_path) == kept
    result = cli(*run, "-q")
    assert (result.exit_code, result.output) == (0, "")
    assert left(tmp_path) == ["a.h5", "a.svg"]
    assert Explanation.load(tmp_path / "a.h5").relevance.shape == (1, 24, 24)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(program, long, tmp_path):
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked").chmod(0o555)
    process = program([*long, "-o", "locked/a.h5"])
    _, errors = process.communicate()
    assert process.returncode == 2
    assert (
        errors
        == f"Error: locked/a.h5: cannot be written, since {tmp_path}/locked is read-only. Choose another place.\n"
    )


def test_an_error_in_a_process_of_its_own(program, net, picture, tmp_path):
    process = program(["explain", picture, *net, "-k", 25, "-o", "a.h5"])
    _, errors = process.communicate()
    assert process.returncode == 2
    assert errors == "Error: window k = 25 does not fit: want 1 <= k <= 24, the size of what the net sees.\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.png"]
