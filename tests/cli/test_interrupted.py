"""A run that is stopped in the middle: what it leaves, and how it goes on."""

from __future__ import annotations

import os
import re
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


def test_before_the_first_tile_it_names_no_file(cli, long, tmp_path, monkeypatch):
    def pressed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "add", pressed)
    said = cli(*long, "-o", "a.h5").output
    assert said.splitlines()[-1] == "Interrupted. No tile was finished."
    assert left(tmp_path) == []


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


#: Runs the command line, and waits in its second tile until it is killed.
WAITING = """
import sys, threading
from predicdiff.executors import here
from predicdiff.cli import main

evaluate, count = here.evaluate_tile, []

def waits(*arguments, **more):
    if count:
        print("waits", flush=True)
        threading.Event().wait()
    count.append(1)
    return evaluate(*arguments, **more)

here.evaluate_tile = waits
main(sys.argv[1:], prog_name="predicdiff")
"""


@pytest.fixture
def waiting(program):
    """A run in a process of its own that has finished a tile; it is killed at the end."""
    started = []

    def start(*arguments):
        process = program([*arguments], code=WAITING)
        started.append(process)
        for line in process.stdout:
            if line == "waits\n":
                return process
        raise AssertionError(process.stderr.read())

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.usefixtures("one_thread")
def test_a_second_run_of_one_output_ends_at_once_and_one_without_takes_a_number(waiting, cli, refused, long, tmp_path):
    process = waiting(*long)
    (tiles,) = (tmp_path / "out").glob("*.tiles")
    result = tiles.with_suffix("")
    before = tiles.read_bytes()
    (tmp_path / "link.h5").symlink_to(result)
    for name, *more in ([result], [result, "--restart"], ["link.h5"]):
        error = refused(*long, "-o", name, *more)
        assert f"another run works on it (process {process.pid} on " in error
    said = cli(*long)
    assert said.exit_code == 0, said.output
    second = result.with_name(f"{result.stem}-2.h5")
    assert "is what another run works on: this one goes into" in said.output
    assert second.exists()
    assert not result.exists()
    assert tiles.read_bytes() == before
    process.kill()
    process.communicate()
    assert cli(*long, "-o", result).exit_code == 0
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".h5", ".h5", ".png", ".png"]
    np.testing.assert_array_equal(Explanation.load(result).relevance, Explanation.load(second).relevance)


def test_tiles_beside_their_finished_result_do_not_stand_in_the_way(interrupted, cli, long, tmp_path):
    """A kill between the result and the deletion of its tiles."""
    interrupted(1)
    tiles = tmp_path / "a.h5.tiles"
    kept = tiles.read_bytes()
    assert cli(*long, "-o", "a.h5", "-q").exit_code == 0
    tiles.write_bytes(kept)
    assert "a.h5 held this already" in cli(*long, "-o", "a.h5").output
    assert left(tmp_path) == ["a.h5", "a.png"]
    tiles.write_bytes(kept)
    result = cli(*long, "-o", "a.h5", "--seed", 1)
    assert result.exit_code == 0, result.output
    assert left(tmp_path) == ["a.h5", "a.png"]
    assert Explanation.load(tmp_path / "a.h5").settings["seed"] == 1


def stopped(cli, *arguments):
    """Stop a run at its second tile."""
    add, count = Journal.add, []

    def counted(*tile):
        add(*tile)
        count.append(1)
        if len(count) == 2:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "add", counted)
        assert cli(*arguments).exit_code == 130


NAME = "out/small_tiny_fitted"


def test_without_a_name_it_goes_on_under_the_number_where_it_was_stopped(cli, long, tmp_path):
    """Whose first name was another run's then and is free now; what else was left of it is swept."""
    stopped(cli, *long, "--seed", 1)
    stopped(cli, *long)
    (tmp_path / f"{NAME}.h5.tiles").unlink()
    twin = tmp_path / f"{NAME}-4.h5.tiles"
    twin.write_bytes((tmp_path / f"{NAME}-2.h5.tiles").read_bytes())
    assert f"The result would go to {NAME}-2.h5" in cli(*long, "--dry-run").output
    said = cli(*long).output
    assert re.search(r"Taking up (20|32) finished windows of 36\.", said)  # which tiles come first, threads decide
    assert f"Wrote {NAME}-2.h5 and {NAME}-2.png." in said
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "small_tiny_fitted-2.h5",
        "small_tiny_fitted-2.png",
    ]


@pytest.mark.parametrize("ending", [".h5", ".h5.tiles", ".png"])
@pytest.mark.parametrize("thing", ["text", "pipe", "folder"])
def test_without_a_name_it_goes_around_what_is_not_its_own(cli, net, fitted, picture, tmp_path, ending, thing):
    (tmp_path / "out").mkdir()
    path = tmp_path / f"{NAME}{ending}"
    {"text": lambda: path.write_text("predicdiff"), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[thing]()
    result = cli("explain", picture, *net, *fitted, "-k", 8, "--stride", 8, "-S", 2)
    assert f"{NAME}{ending} is not this run's, and stays: this one goes into {NAME}-2.h5." in result.output
    assert f"Wrote {NAME}-2.h5 and {NAME}-2.png." in result.output


def test_an_interrupted_run_of_others_is_not_restarted(cli, long, tmp_path):
    stopped(cli, *long, "--seed", 1)
    tiles = tmp_path / f"{NAME}.h5.tiles"
    before = tiles.read_bytes()
    assert f"Wrote {NAME}-2.h5" in cli(*long, "--restart").output
    assert tiles.read_bytes() == before


#: Runs the command line in a process that is killed at an event of the system's, counted from the last tile on.
KILLED_LATE = """
import os, signal, sys
from predicdiff.explanation import Explanation
from predicdiff.cli import main

save, left = Explanation.save, [int(sys.argv[1])]

def hook(event, arguments):
    if len(left) > 1 and (event == "open" or event.startswith(("os.", "fcntl."))):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

def saved(*arguments):
    left.append(0)
    save(*arguments)

Explanation.save = saved
sys.addaudithook(hook)
main(sys.argv[2:], prog_name="predicdiff")
"""


@pytest.mark.whole
@pytest.mark.usefixtures("one_thread")
def test_killed_at_each_step_of_the_final_write_it_goes_on_to_the_same_bits(program, cli, long, tmp_path):
    assert cli(*long, "-o", "whole.h5", "-q").exit_code == 0
    whole = Explanation.load(tmp_path / "whole.h5")
    killed = 0
    for step in (1, 3, 5, 7, 11):
        process = program([str(step), *long, "-o", "a.h5", "-q"], code=KILLED_LATE)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        assert (tmp_path / "a.h5.tiles").exists() or (tmp_path / "a.h5").exists()
        assert cli(*long, "-o", "a.h5", "-q").exit_code == 0
        resumed = Explanation.load(tmp_path / "a.h5")
        np.testing.assert_array_equal(resumed.relevance, whole.relevance)
        assert not (tmp_path / "a.h5.tiles").exists()
        (tmp_path / "a.h5").unlink()
    assert killed >= 3
