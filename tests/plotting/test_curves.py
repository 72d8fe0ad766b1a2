"""Diagrams of curves: what is drawn where, and that nothing is cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from predicdiff.errors import SettingsError
from predicdiff.plotting import save_figure
from predicdiff.plotting.curves import Curve, Diagram, _styles, curves_figure

FALL = np.linspace(0.9, 0.1, 5)


def curve(name: str = "prediction difference", *, null: bool = False, mean: np.ndarray = FALL) -> Curve:
    return Curve(name, mean, mean - 0.05, mean + 0.05, null=null)


def diagram(*curves: Curve, title: str = "Deletion") -> Diagram:
    return Diagram(title, "part taken away", "prob", curves or (curve(), curve("random", null=True)))


def boxes(figure: Figure) -> dict[str, Any]:
    """Where each text stands, in dots."""
    figure.canvas.draw()
    return {text.get_text(): text.get_window_extent() for text in figure.texts}


def test_lines_and_bands_lie_where_they_were_said_to() -> None:
    axes = curves_figure([diagram()]).axes[0]
    for drawn, wanted in zip(axes.lines, diagram().curves):
        np.testing.assert_array_equal(drawn.get_xdata(), [0, 0.25, 0.5, 0.75, 1])
        np.testing.assert_array_equal(drawn.get_ydata(), wanted.mean)
    corners = axes.collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() == pytest.approx(0.05)
    assert corners[:, 1].max() == pytest.approx(0.95)


def test_all_diagrams_have_one_scale_from_zero() -> None:
    low, high = curves_figure([diagram(curve(mean=FALL / 2 + 0.1)), diagram(curve())]).axes
    assert low.get_ylim() == high.get_ylim() == (0, pytest.approx(0.95 * 1.04))
    below = curves_figure([diagram(curve(mean=FALL - 2))]).axes[0].get_ylim()
    assert below[0] < -1.95
    assert below[1] > 0


def test_a_null_is_grey_and_takes_no_colour_from_the_others() -> None:
    axes = curves_figure([diagram(curve("a"), curve("random", null=True), curve("b"))]).axes[0]
    other = curves_figure([diagram(curve("a"), curve("b"))]).axes[0]
    colours = [drawn.get_color() for drawn in axes.lines]
    assert colours[1] == "#7f7f7f"
    assert [colours[0], colours[2]] == [drawn.get_color() for drawn in other.lines]
    assert len({*colours}) == 3


def test_lines_are_told_apart_without_colours() -> None:
    styles = _styles([*(curve(str(i)) for i in range(6)), curve("random", null=True)])
    assert len({repr(style["linestyle"]) for style in styles}) == 7
    assert len({style["color"] for style in styles}) == 7


def test_a_band_that_is_not_known_is_left_out() -> None:
    unknown = np.full(5, np.nan)
    axes = curves_figure([diagram(Curve("one image", FALL, unknown, unknown))]).axes[0]
    assert axes.get_ylim() == (0, pytest.approx(0.9 * 1.04))


@pytest.mark.parametrize("diagrams", [1, 2])
@pytest.mark.parametrize("count", [1, 4, 9])
def test_no_text_leaves_the_page_or_lies_on_another(diagrams: int, count: int) -> None:
    curves = [curve(f"a method with a long name, number {i}") for i in range(count)]
    caption = "A caption that is long enough to be broken into several lines, as those of a comparison are. " * 3
    figure = curves_figure([diagram(*curves)] * diagrams, title="Does it tell the truth?", caption=caption)
    by_text = boxes(figure)
    width, height = figure.canvas.get_width_height()
    for box in by_text.values():
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height
    places = list(by_text.values())
    for i, one in enumerate(places):
        assert not any(one.overlaps(other) for other in places[i + 1 :])
    for axes in figure.axes:
        outer = axes.get_tightbbox(figure.canvas.get_renderer())
        assert not any(outer.overlaps(box) for text, box in by_text.items() if text != "Deletion")


def test_the_key_names_every_line_once() -> None:
    figure = curves_figure([diagram(), diagram(title="Insertion")])
    texts = [text.get_text() for text in figure.texts]
    assert texts.count("prediction difference") == texts.count("random") == 1
    assert {"Deletion", "Insertion"} <= {*texts}


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_curves_give_the_same_file(kind: str, tmp_path: Path) -> None:
    first, second = (save_figure(curves_figure([diagram()]), tmp_path / f"{i}.{kind}").read_bytes() for i in range(2))
    assert first == second


def test_what_cannot_be_drawn_is_refused() -> None:
    for wrong in ([], [Diagram("empty", "", "", [])], [diagram(curve("a")), diagram(curve("b"))]):
        with pytest.raises(SettingsError, match="want at least one diagram, each with the same curves"):
            curves_figure(wrong)
