"""What was computed and how, as tables."""

from __future__ import annotations

from predicdiff.page.facts import MOST_OF_VALUE, MOST_ROWS, tables_of


def test_what_is_in_each_other_is_named_by_all_its_names() -> None:
    net = {"name": "tiny", "preprocessing": {"mean": [1, 2], "raw_scale": 255.0, "clip": None, "antialias": False}}
    tables = tables_of(
        {"window": 3, "between": "linear"}, {"net": net, "seconds": 92.90582569099979, "settings": {"a": 1}}
    )
    assert tables == [
        ("Settings", [("window", "3"), ("between", "linear")]),
        (
            "Net",
            [
                ("name", "tiny"),
                ("preprocessing, mean", "[1, 2]"),
                ("preprocessing, raw_scale", "255"),
                ("preprocessing, antialias", "no"),
            ],
        ),
        ("How it was computed", [("seconds", "92.9058")]),
    ]


def test_what_has_no_end_is_cut() -> None:
    (table,) = tables_of({str(number): "x" * 10**4 for number in range(10**3)}, {})
    assert len(table.rows) == MOST_ROWS + 1
    assert table.rows[-1][0] == "..."
    assert max(len(value) for _, value in table.rows) == MOST_OF_VALUE


def test_what_is_no_table_is_told() -> None:
    assert tables_of({}, {"sampler": "own\nlaw"}) == [("Sampler", [("is", "own\\nlaw")])]
