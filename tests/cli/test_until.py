"""`predicdiff explain --until` and `--budget`: stages that renew result and picture, and what Ctrl-C leaves."""

from __future__ import annotations

import re
import signal
import sys

import numpy as np
import pytest
from helpers.engines import needed

from predicdiff.cli import running
from predicdiff.explanation import Explanation

pytestmark = needed
LINE = re.compile(r"Stride (\S+|\d+ x \d+), S = 2: reliability (unknown|0\.\d{3}) after \d+\.\d s\.")


@pytest.fixture
def goal(net, fitted, picture):
    return ["explain", picture, *net, *fitted, "-k", 8, "-S", 4, "--until", 0.9]


def test_stages_are_told_until_the_map_is_reliable_enough(cli, goal, tmp_path):
    result = cli(*goal, "-o", "a.h5")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert any(
        re.match(r"Explaining .* until the reliability is 0\.9, at most 289 windows of 8 x 8, 4 draws each", line)
        for line in lines
    )
    told = [LINE.fullmatch(line) for line in lines if line.startswith("Stride ")]
    assert len(told) > 1
    assert all(told)
    made = Explanation.load(tmp_path / "a.h5")
    assert made.reliability.min() >= 0.9
    assert len(made.provenance["stages"]) == len(told) + 1
    assert made.settings["until"] == 0.9
    shown = np.floor(1000 * made.reliability[0]) / 1000
    assert lines[-2].endswith(f", reliability {shown:.3f}")
    assert (tmp_path / "a.png").exists()
    assert cli(*goal, "-o", "a.h5").output.splitlines()[-1].startswith("a.h5 held this already")


def test_a_budget_ends_it_too(cli, goal, tmp_path):
    result = cli(*goal[:-2], "--budget", "0.001s", "-o", "a.h5", "-q")
    assert (result.exit_code, result.output) == (0, "")
    assert len(Explanation.load(tmp_path / "a.h5").provenance["stages"]) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_interrupted_it_leaves_the_map_so_far_and_goes_on_in_the_same_file(cli, goal, tmp_path, monkeypatch):
    assert cli(*goal, "-o", "whole.h5", "-q").exit_code == 0
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    renew, count = running.Renewal.__call__, []

    def pressed(self, explanation):
        renew(self, explanation)
        count.append(1)
        if len(count) == 2:
            signal.raise_signal(signal.SIGINT)

    try:
        with monkeypatch.context() as patch:
            patch.setattr(running.Renewal, "__call__", pressed)
            result = cli(*goal)
    finally:
        signal.signal(signal.SIGINT, before)
    assert result.exit_code == 130
    (path,) = (tmp_path / "out").glob("*.h5")
    last = result.output.splitlines()[-1]
    assert last.startswith(f"Interrupted. {path.relative_to(tmp_path)} holds the map so far. What is finished is in ")
    so_far = Explanation.load(path)
    assert so_far.provenance["finished"] is False
    assert len(so_far.provenance["stages"]) == 2
    assert path.with_suffix(".png").exists()
    again = cli(*goal)
    assert again.exit_code == 0, again.output
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [path.name, path.with_suffix(".png").name]
    made, whole = Explanation.load(path), Explanation.load(tmp_path / "whole.h5")
    np.testing.assert_array_equal(made.relevance, whole.relevance)
    assert made.provenance["windows_before"] > 0


def test_what_does_not_go_together_is_refused(refused, goal):
    assert "--like repeats another program's settings" in refused(*goal, "--like", "paper")
    assert "until = 1.5: want a reliability above 0 and below 1" in refused(*goal[:-1], 1.5)
    assert "'soon' is no time: want for example 60s, 5min or 1h." in refused(*goal, "--budget", "soon")
    assert "leave out between" in refused(*goal, "--between", "none")
    assert "counts a window twice" in refused(*goal[:-2], "--like", "authors", "--between", "linear")


def test_a_step_of_its_own_along_each_axis(cli, goal, tmp_path):
    result = cli(*goal[:-2], "--stride", "4x2", "-o", "a.h5", "-q")
    assert result.exit_code == 0, result.output
    assert Explanation.load(tmp_path / "a.h5").settings["stride"] == [4, 2]
