"""Pages of many maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.figures import no_overlap, words

from predicdiff.errors import SettingsError
from predicdiff.plotting import Block, grid_figure
from predicdiff.plotting.sheet import render

ROWS = ["(a) sensitivity map", "(b) marginal sampling", "(c) marginal, overlaid", "(d) conditional", "(e) overlaid"]
NAMES = ["AlexNet", "GoogLeNet", "a net with a name that takes three lines of text at least"]


def block(columns: int = 3, shape: tuple[int, int] = (24, 24), **changes: Any) -> Block:
    """Each panel is of one grey that tells its row and column."""
    panels = [
        [np.full((*shape, 3), 10 * row + column, np.uint8) for column in range(columns)] for row in range(len(ROWS))
    ]
    contents = {
        "picture": np.full((30, 40, 3), 99, np.uint8),
        "columns": NAMES[:columns],
        "panels": panels,
        "notes": [["" if row % 2 else f"full colour: ±{row}.5 bits"] * columns for row in range(len(ROWS))],
        "title": "a picture whose name is longer than it is wide",
        "text": "AlexNet: tiger cat, p = 0.42\nGoogLeNet: soft-coated wheaten terrier, p = 0.31",
    }
    return Block(**{**contents, **changes})


def greys(axes: list[Any]) -> list[int]:
    return [int(one.images[0].get_array()[0, 0, 0]) for one in axes]


def test_panels_stand_in_rows_and_columns_right_of_the_input() -> None:
    page = grid_figure([block()], ROWS, legend=False)
    places = {grey: axes.get_position(original=True) for grey, axes in zip(greys(page.axes), page.axes)}
    assert len(places) == 16
    for row in range(5):
        for column in range(3):
            here = places[10 * row + column]
            assert here.x0 > places[99].x1
            assert column == 0 or here.x0 > places[10 * row + column - 1].x1
            assert row == 0 or here.y1 < places[10 * (row - 1) + column].y0
            assert here.y0 == places[10 * row].y0
            assert here.x0 == places[column].x0
    assert places[99].y1 == pytest.approx(places[0].y1)  # the input's top is the first row's


def test_blocks_fill_lines() -> None:
    page = grid_figure([block(1), block(1), block(1)], ROWS, across=2, legend=False)
    inputs = [axes.get_position(original=True) for grey, axes in zip(greys(page.axes), page.axes) if grey == 99]
    assert inputs[0].y0 == inputs[1].y0 > inputs[2].y1
    assert inputs[0].x0 == inputs[2].x0 < inputs[1].x0


def test_everything_told_is_on_the_page() -> None:
    page = grid_figure([block()], ROWS, caption="The paper's first figure.")
    told = words(page).replace("\n", " ")
    for part in [*ROWS, *NAMES[:2], "±4.5 bits", "tiger cat, p = 0.42", "against", "for", "The paper's"]:
        assert part in told


def test_an_empty_place_stays_empty() -> None:
    panels = [[None, *row[1:]] for row in block().panels]
    assert len(grid_figure([block(panels=panels)], ROWS, legend=False).axes) == 1 + 10
    assert len(grid_figure([block(1, panels=[[None]] * 5)], ROWS, legend=False).axes) == 1


def test_a_row_without_maps_in_a_line_is_left_out_of_it() -> None:
    lacking = block(panels=[[None] * 3, *block().panels[1:]])
    pages = [grid_figure(blocks, ROWS, across=2, legend=False) for blocks in ([block()], [lacking], [block(), lacking])]
    assert [ROWS[0] in words(page).replace("\n", " ") for page in pages] == [True, False, True]
    assert pages[1].get_size_inches()[1] < pages[0].get_size_inches()[1] - 1.7
    no_overlap(pages[1])


@pytest.mark.parametrize(
    ("blocks", "columns", "shape"), [(1, 1, (24, 24)), (1, 3, (12, 24)), (2, 1, (30, 20)), (3, 3, (24, 24))]
)
def test_nothing_overlaps(blocks: int, columns: int, shape: tuple[int, int]) -> None:
    no_overlap(grid_figure([block(columns, shape)] * blocks, ROWS, caption="All of what is to be said. " * 20))


def test_a_single_blocks_caption_stands_under_its_input_where_there_is_room() -> None:
    short, bare = (grid_figure([block()], ROWS, caption=caption) for caption in ("few words " * 20, ""))
    assert short.get_size_inches()[1] == bare.get_size_inches()[1]
    long = grid_figure([block()], ROWS, caption="many words " * 200)
    assert long.get_size_inches()[1] > bare.get_size_inches()[1]
    no_overlap(long)


def test_the_page_is_as_wide_as_its_blocks_but_no_wider_than_a_screen() -> None:
    widths = [grid_figure([block(1)] * count, ROWS).get_size_inches()[0] for count in (1, 2, 4)]
    assert widths[0] < widths[1] < widths[2] <= 16.0


def test_it_can_be_written() -> None:
    assert render(grid_figure([block()], ROWS), "png", 30).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("blocks", "rows", "message"),
    [
        ([], ROWS, "at least one block"),
        ([block()], [], "at least one block and one row"),
        ([block()], ROWS[:4], "want 4 rows of 3"),
        ([block(columns=3, notes=[["", ""]] * 5)], ROWS, r"rows of \[2, 2, 2, 2, 2\] maps or notes: want 5 rows of 3"),
        ([block(0)], ROWS, "want 5 rows of 1"),
    ],
)
def test_tables_that_do_not_fit_are_refused(blocks: list[Block], rows: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        grid_figure(blocks, rows)
