"""Options declared at the fields that they fill, and the help texts that show them."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import click
import pytest
from click.testing import CliRunner

from predicdiff import __main__ as module
from predicdiff._version import __version__
from predicdiff.cli import main
from predicdiff.cli.options.base import Command, Options, option_field, options_of
from predicdiff.cli.options.values import MEMORY

COMMANDS = [
    "explain", "study", "show", "report", "predict", "sensitivity", "samples", "fit", "compare", "faithfulness",
    "randomisation", "nets", "blobs", "fetch",
]  # fmt: skip


@dataclass(frozen=True)
class Meal(Options):
    heading = "Food"

    main: str = option_field("--main", "--first", default="soup")
    price: int = option_field("--price", type=MEMORY, default="4k")
    wine: tuple[str, ...] = option_field("--wine", multiple=True)
    warm: bool = option_field("--warm", is_flag=True)
    times: int | None = option_field("--times", type=int)


@dataclass(frozen=True)
class Weather(Options):
    cold: bool = option_field("--cold", is_flag=True)


def test_options_fill_the_fields_that_declare_them():
    @click.command(cls=Command)
    @options_of(Weather, "weather")
    @options_of(Meal, "meal", main="bread")
    def eat(meal, weather):
        click.echo(f"{astuple(meal)} {weather.cold}")

    assert astuple(Meal()) == ("soup", 4000, (), False, None)
    assert CliRunner().invoke(eat, []).output == "('bread', 4000, (), False, None) False\n"
    everything = [
        "--times",
        "2",
        "--first",
        "x",
        "--price",
        "1",
        "--wine",
        "red",
        "--wine",
        "white",
        "--warm",
        "--cold",
    ]
    assert CliRunner().invoke(eat, everything).output == "('x', 1, ('red', 'white'), True, 2) True\n"
    helped = CliRunner().invoke(eat, ["--help"]).output
    assert "[default: bread]" in helped
    assert "[default: 4k]" in helped
    assert helped.index("Options:") < helped.index("--cold")  # its own before those that commands share
    assert helped.index("--cold") < helped.index("Food:") < helped.index("--main") < helped.index("--times")


def test_all_commands_are_listed_in_order():
    output = CliRunner().invoke(main, ["--help"]).output
    places = [output.index(f"\n  {name} ") for name in COMMANDS]
    assert places == sorted(places)
    assert list(main.commands) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command):
    result = CliRunner().invoke(main, [command, "--help"], prog_name="predicdiff")
    assert result.exit_code == 0
    assert f"Usage: predicdiff {command}" in result.output
    assert ("Examples:\n" in result.output) or command == "nets"
    assert max(map(len, result.output.splitlines())) <= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_of_two_lines_can_be_pasted(command):
    lines = CliRunner().invoke(main, [command, "--help"]).output.splitlines()
    for first, second in zip(lines, lines[1:]):
        if first.startswith("    predicdiff ") and second.startswith("        "):
            assert first.endswith(" \\"), first


def test_short_help_is_not_cut():
    listed = CliRunner().invoke(main, ["--help"]).output.split("Commands:")[1]
    assert "..." not in listed


def test_explain_has_the_papers_words():
    helped = CliRunner().invoke(main, ["explain", "-h"]).output
    for name in ("-k, --window", "-l, --context", "-S, --samples", "--blob", "--unit", "--against", "--sampler"):
        assert name in helped
    headings = ["What is explained:", "Windows and samples:", "Effort:", "Output:", "What else", "The net:", "Options:"]
    places = [helped.index(f"\n{heading}") for heading in headings]
    assert places == sorted(places)


def test_a_command_has_the_same_help_without_its_group():
    """As in tests that make a command's context by itself: click keeps the help option of the first one."""
    for arguments in (["-h"], ["--help"]):
        assert "Usage: " in CliRunner().invoke(main.commands["fetch"], arguments).output


def test_the_version():
    assert __version__ in CliRunner().invoke(main, ["--version"]).output


def test_the_module_is_the_command():
    assert module.main is main
