"""What a message says to give, the command that shows it takes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from helpers.reachable import Place, Text

from predicdiff.cli import COMMANDS, main

OPTION = re.compile(r"(?<![\w-])--?[a-zA-Z][a-z-]*\b")
#: Another command or program, written out with its options.
COMMAND = re.compile(r"`predicdiff [^`]*`|predicdiff [a-z]+ .*|pip install .*")
#: Said of what these commands never do: `blobs` reads no images (a net's ``view`` is a field there, taken for its
#: method), and `fetch` no prototxts but the listed nets', whose inputs and layers are known; `faithfulness` and
#: `randomisation` always take the predicted class; `explain` alone repeats another program's settings. `nets` tells
#: what the others take for a net. `study` compares results alone, and no pictures.
NOT_SAID = {
    "blobs": {"--white", "--intensity"},
    "fetch": {"--input-shape", "--engine"},
    "nets": {"--net"},
    "samples": {"--like"},
    "fit": {"--like"},
    "faithfulness": {"--unit", "--restart", "--like"},
    "randomisation": {"--unit", "--restart", "--like"},
    "study": {"--white", "--intensity", "--whole"},
}


@pytest.fixture(scope="module")
def text() -> Text:
    return Text()


def options_in(node: ast.AST) -> Iterator[str]:
    """Options that the sentences in a piece of code name, docstrings and help texts apart."""
    body = getattr(node, "body", [])
    docstring = body[0].value if body and isinstance(body[0], ast.Expr) else None
    for part in ast.walk(node):
        sentence = isinstance(part, ast.Constant) and isinstance(part.value, str) and " " in part.value
        if sentence and part is not docstring and "Examples:" not in part.value:
            yield from OPTION.findall(COMMAND.sub("", part.value))


def missing(text: Text, command: str) -> list[str]:
    """Options that a command does not have and may be told to be given, with where that is said."""
    taken = {name for parameter in main.commands[command].params for name in parameter.opts} | {
        "--help",
        *NOT_SAID.get(command, ()),
    }
    places: set[Place] = text.reached((f"predicdiff.cli.{command}", "command"))
    functions = [place for place in places if not isinstance(text.nodes[place], ast.ClassDef)]
    return sorted(
        f"{option}, of {'.'.join(place)}"
        for place in functions
        for option in set(options_in(text.nodes[place])) - taken
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_names_an_option_that_it_has_not(text: Text, command: str) -> None:
    assert missing(text, command) == []


def test_options_are_found_where_they_are_said(text: Text) -> None:
    """What the test above rests on: a message deep below a command is reached, and its option seen."""
    raised = ("predicdiff.nets.preprocessing", "Preprocessing.warn_of_the_mean")
    assert raised in text.reached(("predicdiff.cli.faithfulness", "command"))
    assert raised not in text.reached(("predicdiff.cli.show", "command"))
    assert set(options_in(text.nodes[raised])) == {"--raw-scale"}
    assert list(options_in(ast.parse("raise E('want a mean (--mean FILE) or `predicdiff fit --net`, of x-y')"))) == [
        "--mean"
    ]
