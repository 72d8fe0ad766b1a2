"""Text that could speak to a terminal does not; all else stays as it is."""

from __future__ import annotations

import pytest

from predicdiff.texts import near, one_line, shown


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("\x1b]0;owned\x07\x1b[2Jtiger", "\\x1b]0;owned\\x07\\x1b[2Jtiger"),
        ("right\u202eto left", "right\\u202eto left"),
        ("half \ud800", "half \\ud800"),
        ("\x9b1m and \x00", "\\x9b1m and \\x00"),
        ("line\u2028line\r", "line\\u2028line\\r"),
    ],
)
def test_what_steers_is_escaped(text: str, wanted: str) -> None:
    assert shown(text) == wanted
    assert shown(shown(text)) == wanted
    shown(text).encode("utf-8")


@pytest.mark.parametrize(
    "text",
    ["tabby, tabby cat", "Bärtierchen", "\u4e2d\u3000\u6587", "a\xa0b", "one\n\ttwo", "\U0001f469\u200d\U0001f52c", ""],
)
def test_what_people_write_stays(text: str) -> None:
    assert shown(text) == text


def test_the_middle_of_a_long_text_is_left_out() -> None:
    assert shown("begin" + "x" * 10**6 + "end", 20).startswith("beginxxx")
    assert shown("begin" + "x" * 10**6 + "end", 20).endswith("xend")
    assert len(shown("x" * 10**6, 20)) == len(shown("x" * 20, 20)) == 20
    assert len(shown("\x1b" * 10**6, 20)) == 20


def test_what_stands_in_a_line_begins_no_other() -> None:
    assert one_line("tiger\r\nError:\tno\u2029") == r"tiger\r\nError:\tno\u2029"
    assert one_line("a\n" * 20, 20) == one_line(one_line("a\n" * 20, 20))
    assert len(one_line("\n" * 20, 20)) == 20


def test_near_names_of_many_or_long_ones_are_looked_for_in_few_steps():
    names = [f"{'xa' * 90}{i}" for i in range(10**5)]  # each takes difflib some 10 ms, all of them a quarter of an hour
    assert near("xb" * 90, ["convolution", *names], cutoff=0.3)
    assert near("x" * 10**7, [*names, "x" * 10**7]) == []
    assert near("conv", ["b" * 10**6, "conv1", "pool"]) == ["conv1"]
