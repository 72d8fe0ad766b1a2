"""A run that is stopped in the middle: what it leaves, and how it goes on."""

from __future__ import annotations

import signal
import sys

import numpy as np
import pytest
from helpers.engines import ENGINES, needed

from predicdiff.explanation import Explanation
from predicdiff.journal import Journal

pytestmark = [needed, pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and limits")]

#: Runs the command line in a process that is killed after its first tile.
KILLED = """
import os, signal, sys
from predicdiff.executors import here
from predicdiff.cli import main

evaluate, count = here.evaluate_tile, []

def killed(*arguments):
    if count:
        os.kill(os.getpid(), signal.SIGKILL)
    count.append(1)
    return evaluate(*arguments)

here.evaluate_tile = killed
main(sys.argv[1:], prog_name="predicdiff")
"""
#: Runs the command line once for each size that files may have, into a folder called by it.
LIMITED = """
import resource, sys
from predicdiff.cli import main

rooms, *arguments = sys.argv[1:]
for room in rooms.split(","):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(room), resource.RLIM_INFINITY))
    try:
        main([*arguments, "-o", f"{room}/a.h5", "--figure", f"{room}/a.svg"], prog_name="predicdiff")
    except SystemExit as end:
        print("status", end.code, file=sys.stderr)
"""


@pytest.fixture
def long(net, fitted, picture):
    """A run of 36 windows in 3 tiles; on a GPU it would be one."""
    return ["explain", picture, *net, *fitted, "-k", 4, "--stride", 4, "-S", 40, "--device", "cpu"]


def left(folder):
    """Names of the files that a run for a.h5 left, hidden ones too."""
    return sorted(path.name for path in folder.glob("*") if path.name.startswith((".", "a.")))


@pytest.fixture
def interrupted(cli, long):
    """Press Ctrl-C when so many tiles of a run for a.h5 are finished; gives what it says."""

    def run(tiles):
        add, count = Journal.add, []

        def counted(*arguments):
            add(*arguments)
            count.append(1)
            if len(count) == tiles:
                signal.raise_signal(signal.SIGINT)

        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background processes ignore it
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Journal, "add", counted)
                result = cli(*long, "-o", "a.h5")
        finally:
            signal.signal(signal.SIGINT, before)
        assert result.exit_code == 130
        return result.output.splitlines()[-1]

    return run


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
    process = program([*long, "-o", "a.h5"], code=KILLED)
    _, errors = process.communicate()
    assert (process.returncode, errors) == (-signal.SIGKILL, "")
    assert left(tmp_path) == ["a.h5.tiles"]
    result = cli(*long, "-o", "a.h5")
    assert result.exit_code == 0, result.output
    assert "Taking up 16 finished windows of 36." in result.output
    assert left(tmp_path) == ["a.h5", "a.png"]
    assert cli(*long, "-o", "whole.h5", "-q").exit_code == 0
    resumed, whole = Explanation.load(tmp_path / "a.h5"), Explanation.load(tmp_path / "whole.h5")
    np.testing.assert_array_equal(resumed.relevance, whole.relevance)
    np.testing.assert_array_equal(resumed.stderr, whole.stderr)


def test_the_keyboard_leaves_a_sentence_and_the_finished_tiles(interrupted, tmp_path):
    assert interrupted(1) == "Interrupted. What is finished is in a.h5.tiles: the same command goes on from there."
    assert left(tmp_path) == ["a.h5.tiles"]


def test_tiles_of_other_settings_are_not_taken_up(interrupted, cli, refused, long, tmp_path):
    interrupted(1)
    other = [*long, "-o", "a.h5", "--seed", 1]
    error = refused(*other)
    assert "a.h5.tiles: tiles of a run with other settings" in error
    assert "seed was 0, is 1" in error
    result = cli(*other, "--restart")
    assert result.exit_code == 0, result.output
    assert "Taking up" not in result.output
    assert Explanation.load(tmp_path / "a.h5").settings["seed"] == 1


def test_a_full_disk(program, cli, net, fitted, picture, tmp_path):
    cases = {
        "10": ("a.h5.tiles: finished tiles cannot be kept", []),
        "1500": ("a.h5.tiles: finished tiles cannot be written", ["a.h5.tiles"]),
        "40000": ("a.svg: cannot be written", ["a.h5"]),
        "8000": ("a.h5: cannot be written", ["a.h5.tiles"]),
    }
    wanted = {room: (f"{room}/{what}", kept) for room, (what, kept) in cases.items()}
    if ENGINES[0] == "caffe":
        wanted["10"] = ("Caffe reads the net from a temporary file, which cannot be written", [])
    run = ["explain", picture, *net, *fitted, "-k", 8, "--stride", 8, "-S", 150, "--between", "none", "--device", "cpu"]
    _, errors = program([",".join(cases), *run], code=LIMITED).communicate()
    lines = errors.splitlines()
    assert lines[1::2] == ["status 2"] * len(cases)
    for line, (what, _) in zip(lines[::2], wanted.values()):
        assert line.startswith("Error: ")
        assert f"{what} (File too large)" in line
    for room, (_, kept) in wanted.items():
        assert left(tmp_path / room) == kept
        result = cli(*run, "-o", f"{room}/a.h5", "--figure", f"{room}/a.svg", "-q")
        assert (result.exit_code, result.output) == (0, "")
        assert left(tmp_path / room) == ["a.h5", "a.svg"]
        assert Explanation.load(tmp_path / room / "a.h5").relevance.shape == (1, 24, 24)
