"""Errors are a sentence, warnings a line, bars are silent where nobody looks."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from predicdiff.cli import console
from predicdiff.cli.console import Commands, bar, duration, short_duration, speaker
from predicdiff.errors import InputWarning, SettingsError


def ended(error=None, warn=()):
    """What a command that ends so leaves behind."""

    @click.group(cls=Commands)
    def group():
        pass

    @group.command()
    def work():
        for warning in warn:
            warnings.warn(warning, stacklevel=1)
        if error is not None:
            raise error

    return CliRunner().invoke(group, ["work"], prog_name="predicdiff")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (SettingsError("k is 0: want 1."), "Error: k is 0: want 1."),
        (MemoryError(), "Error: memory ran out: free some, or use a smaller net."),
        (OSError(28, "No space left on device", "a.h5"), "Error: a.h5: No space left on device."),
        (OSError("odd"), "Error: odd."),
        (click.BadParameter("no"), "Error: Invalid value: no. See `predicdiff work --help`."),
    ],
)
def test_errors_are_one_sentence(error, sentence):
    result = ended(error)
    assert (result.exit_code, result.output) == (2, sentence + "\n")


def test_the_keyboard_ends_it_quietly():
    result = ended(KeyboardInterrupt())
    assert (result.exit_code, result.output.strip()) == (130, "Interrupted.")


def test_a_mistake_of_ours_is_not_hidden():
    assert isinstance(ended(ZeroDivisionError()).exception, ZeroDivisionError)


def test_our_warnings_are_a_line_each():
    result = ended(warn=[InputWarning("no mean\n  was given"), InputWarning("no mean\n  was given")])
    assert (result.exit_code, result.output) == (0, "Warning: no mean was given.\n" * 2)


def test_other_warnings_go_their_way():
    with pytest.warns(FutureWarning, match="of a library"):
        assert ended(warn=[FutureWarning("of a library")]).output == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.1, "a few seconds"),
        (42, "about 42 seconds"),
        (125, "about 2 minutes"),
        (5000, "about 83 minutes"),
        (9000, "about 2.5 hours"),
        (3 * 86400, "about 3.0 days"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_short_durations():
    assert [short_duration(s) for s in (0.1, 42, 125, 5000, 9000)] == ["1 s", "42 s", "2 min", "83 min", "2.5 h"]


def test_no_bar_where_there_is_no_terminal(capsys):
    with bar(10, quiet=False) as shown:
        shown.update(5)
    assert capsys.readouterr().err == ""


def test_bars_follow_the_files(monkeypatch):
    opened = []

    class Bar:
        def __init__(self, total, **settings):
            self.total, self.n, self.closed = total, settings["initial"], False
            opened.append(self)

        def set_description(self, text):
            self.text = text

        def update(self, count):
            self.n += count

        def close(self):
            self.closed = True

    monkeypatch.setattr(console, "bar", Bar)
    bars = console.FileBars(quiet=False)
    for file, received, total in [("a", 5, None), ("a", 7, 10), ("a", 10, 10), ("b", 0, 3), ("b", 3, 3)]:
        bars(file, received, total)
    bars.close()
    assert [(bar.text, bar.n, bar.total, bar.closed) for bar in opened] == [("a", 10, 10, True), ("b", 3, 3, True)]


def test_no_bar_where_there_is_no_stderr(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with bar(10, quiet=False) as shown:
        shown.update(5)
    assert shown.disable


def test_quiet_says_nothing(capsys):
    speaker(True)("unheard")
    speaker(False)("heard")
    assert capsys.readouterr().out == "heard\n"


def test_a_reader_who_has_gone_is_no_error(program):
    read, write = os.pipe()
    os.close(read)
    process = program(["nets"], stdout=write)
    os.close(write)
    assert process.communicate()[1] == ""
    assert process.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full disk to print to")
@pytest.mark.parametrize(("argument", "buffered"), [("nets", False), ("nets", True), ("--help", True)])
def test_a_full_disk_behind_the_output(program, argument, buffered):
    """What is left in a buffer is not tried again at the end, with a remark of Python's and a status of its own."""
    with open("/dev/full", "w") as full:
        process = program([argument], stdout=full, buffered=buffered)
        assert process.communicate()[1] == "Error: standard output: No space left on device.\n"
    assert process.returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full disk to print to")
def test_an_error_that_cannot_be_told_still_has_its_status(program):
    with open("/dev/full", "w") as full:
        process = program(["show", "absent.h5"], stderr=full, buffered=True)
        process.communicate()
    assert process.returncode == 2
