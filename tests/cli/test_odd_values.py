"""Each argument and option of each command, as click lists them, with values that are none.

Wanted is a sentence, at once, and that no file is left; and an empty value is never passed over.
"""

from __future__ import annotations

import pytest
from click import Argument, Choice
from helpers.engines import needed
from helpers.small_studies import write_study
from PIL import Image

from predicdiff.cli import COMMANDS, main
from predicdiff.explanation import Explanation

pytestmark = needed

#: Cheap arguments and options of each command, those of the net apart.
HOW = ["--corpus", "corpus", "-k", "8", "-S", "2"]
WORKS = {
    "explain": (["small.png"], ["--sampler", "marginal", *HOW, "--dry-run"]),
    "study": (["study", "study"], []),
    "show": (["a.h5"], []),
    "report": (["study"], []),
    "predict": (["small.png"], []),
    "sensitivity": (["small.png"], []),
    "samples": (["small.png"], ["--at", "1,1", "--sampler", "marginal", *HOW]),
    "fit": (["corpus"], ["-o", "fitted.h5", "-l", "4", "--patches", "50"]),
    "compare": (["a.h5", "a.h5"], []),
    "faithfulness": (["corpus"], [*HOW, "--steps", "2"]),
    "randomisation": (["corpus"], HOW),
    "nets": ([], []),
    "blobs": ([], []),
    "fetch": (["squeezenet1.1"], []),
}
WITHOUT_NET = ("study", "show", "report", "compare", "nets", "fetch")
HUGE = "9" * 400
#: The others run with --whole alone.
VALUES = ["", HUGE, *(pytest.param(value, marks=pytest.mark.whole) for value in ["nan", "-1", "a\udcff\n\x1b[2J"])]


def asked(name):
    """Arguments and options that take a value; those of nets and image files are the same for all commands."""
    for number, parameter in enumerate(main.commands[name].params):
        shared = getattr(parameter, "group", "") in ("The net", "Image files") and name != "predict"
        if isinstance(parameter, Argument):
            yield number, parameter
        elif not (parameter.is_flag or shared or parameter.name == "help"):
            yield None, parameter


@pytest.fixture
def place(cli, net, tmp_path, photographs):
    """A folder with what the commands take."""
    (tmp_path / "corpus").mkdir()
    for number in range(3):
        Image.fromarray(photographs[number]).save(tmp_path / "corpus" / f"{number}.png")
    Image.fromarray(photographs[4]).save(tmp_path / "small.png")
    made = cli("explain", "small.png", *net, "--sampler", "grey", "-k", "8", "--stride", "8", "-o", "a.h5")
    assert made.exit_code == 0, made.output
    write_study(tmp_path / "study", [Explanation.load(tmp_path / "a.h5")])
    return tmp_path


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_value_that_is_none(cli, net, place, name, value):
    for number, parameter in asked(name):
        if (number is not None and value.startswith("-")) or (isinstance(parameter.type, Choice) and value):
            continue  # the former would be an option, and click's own refusals of choices are all alike
        arguments, options = (list(part) for part in WORKS[name])
        if number is None:
            options += [parameter.opts[-1], value]
        else:
            arguments[number] = value
        before = set(place.rglob("*"))
        result = cli(name, *arguments, *([] if name in WITHOUT_NET else net), *options)
        said = f"{name} {parameter.name}: {result.exit_code}, {result.output[-2000:]}"
        assert result.exit_code in (0, 2), said
        assert all(letter.isprintable() or letter == "\n" for letter in result.output), said
        assert max(map(len, result.output.splitlines()), default=0) <= 2100, said
        if value == "" and parameter.name not in ("title",):
            assert result.exit_code == 2, said
        if result.exit_code == 2:
            assert result.output.splitlines()[-1].startswith("Error: "), said
            assert set(place.rglob("*")) == before, said
