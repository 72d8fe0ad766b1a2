"""What the README and the guides say, as far as a program can tell: commands, names, targets, pictures, settings."""

from __future__ import annotations

import ast
import re
import shlex

import pytest
from helpers.packaging_rules import ROOT

import predicdiff
from predicdiff.cli import main
from predicdiff.presets import differences

#: Pages that show the program at work; what others show, tests of theirs hold.
GUIDES = (
    "start",
    "commands",
    "python",
    "figures",
    "method",
    "precision",
    "judging",
    "containers",
    "reproduced",
    "tried",
)
README, *PAGES = (
    place.read_text(encoding="utf-8")
    for place in (ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in GUIDES))
)
TEXT = "\n".join([README, *PAGES])


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def lines(program: str) -> list[list[str]]:
    """Arguments of each call of a program."""
    shell = "\n".join(blocks("sh")).replace("\\\n", " ")
    words = [shlex.split(line, comments=True) for line in shell.splitlines()]
    return [line[1:] for line in words if line[:1] == [program]]


def test_there_is_something_to_read() -> None:
    assert len(lines("predicdiff")) > 10
    assert len(lines("make")) > 4
    assert blocks("python")


@pytest.mark.parametrize("arguments", lines("predicdiff"), ids=" ".join)
def test_its_commands_are_understood(arguments: list[str]) -> None:
    """Options and their values alone: nothing is run."""
    name, *rest = arguments
    main.commands[name].make_context(name, rest)


def test_its_make_targets_are_there() -> None:
    known = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    asked = {words[0] for words in lines("make")} | set(re.findall(r"`make ([a-z0-9-]+)", TEXT))
    assert asked <= set(known)


def test_its_python_uses_names_that_there_are() -> None:
    for block in blocks("python"):
        used = {
            node.attr
            for node in ast.walk(ast.parse(block))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "pd"
        }
        assert used
        assert used <= {*predicdiff.__all__}


def test_its_pictures_are_there() -> None:
    for folder, texts in ((ROOT, [README]), (ROOT / "docs", PAGES)):
        pictures = re.findall(r'src="([^"]+)"', "".join(texts))
        assert pictures
        assert [picture for picture in pictures if not (folder / picture).is_file()] == []


def test_settings_side_by_side_are_those_of_the_program() -> None:
    assert differences() in PAGES[GUIDES.index("method")]


def test_the_readme_is_read_in_three_minutes() -> None:
    assert len(README.split()) < 1200
