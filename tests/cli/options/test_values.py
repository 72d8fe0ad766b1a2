"""Text on the command line to values."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from predicdiff.cli.options.values import CLASS, FIGURE, MEMORY, PLACE, RESULT, SAMPLER, SIZE, UNIT


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1GB", 10**9),
        ("4 gb", 4 * 10**9),
        ("512MB", 512 * 10**6),
        ("2GiB", 2**31),
        ("1.5k", 1500),
        (".5G", 5 * 10**8),
        ("100", 100),
        ("7b", 7),
    ],
)
def test_memory_has_units(text, size):
    assert MEMORY.convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "lots", "-1GB", "1XB", "0", "0GB", "1GB2", "GB", "1e9", "nan"])
def test_what_is_no_memory_is_refused(text):
    with pytest.raises(click.UsageError, match="512MB"):
        MEMORY.convert(text, None, None)


@pytest.mark.parametrize(("text", "unit"), [("281", 281), ("3,10,12", (3, 10, 12)), ("3, 10", (3, 10)), ("-1", -1)])
def test_units_are_indices(text, unit):
    assert UNIT.convert(text, None, None) == unit
    assert UNIT.convert(unit, None, None) == unit


@pytest.mark.parametrize("text", ["", "1,2,3,4", "1.5", "1,,2", "3,"])
def test_what_is_no_unit_is_refused(text):
    with pytest.raises(click.UsageError, match="want an index such as 281"):
        UNIT.convert(text, None, None)


@pytest.mark.parametrize("text", ["tabby", "tabby, tabby cat", "3D printer", "7up", "Ålesund"])
def test_classes_have_names(text):
    assert UNIT.convert(text, None, None) == CLASS.convert(text, None, None) == text


def test_places_and_sizes():
    assert PLACE.convert("60,100", None, None) == (60, 100)
    assert SIZE.convert("256", None, None) == 256
    assert SIZE.convert("240x320", None, None) == (240, 320)
    with pytest.raises(click.UsageError, match="want row,column"):
        PLACE.convert("60", None, None)


def test_files_have_the_endings_of_their_kind():
    assert RESULT.convert("a/b.H5", None, None) == Path("a/b.H5")
    assert FIGURE.convert("b.svg", None, None) == Path("b.svg")
    with pytest.raises(click.UsageError, match=r"want a name that ends in .png, .pdf or .svg"):
        FIGURE.convert("b.jpg", None, None)
    with pytest.raises(click.UsageError, match=r"want a name that ends in .h5 or .hdf5"):
        RESULT.convert("b", None, None)


def test_a_sampler_is_a_kind_or_a_file(tmp_path):
    for name in ("conditional", "marginal", "not-there.h5"):
        assert SAMPLER.convert(name, None, None) == name
    odd = tmp_path / "sampler"
    odd.write_bytes(b"")
    assert SAMPLER.convert(str(odd), None, None) == str(odd)
    with pytest.raises(click.UsageError, match=r"'margnal' is unknown: want conditional, marginal, grey or FILE.h5"):
        SAMPLER.convert("margnal", None, None)
