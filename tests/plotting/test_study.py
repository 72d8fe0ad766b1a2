"""The page of a study: what is drawn where, and that all of it can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import numpy as np
import pytest
from helpers.figures import words
from helpers.small_studies import explained, maps, write_study
from matplotlib.figure import Figure

from predicdiff.errors import SettingsError
from predicdiff.overlays import heat, overlay, saliency
from predicdiff.palettes import find_colour_map
from predicdiff.plotting import save_figure
from predicdiff.plotting.layout import Bar, Panel
from predicdiff.plotting.study import Bars, Counts, Places, Strip, study_figure
from predicdiff.studies.overview.agreement import agreement
from predicdiff.studies.overview.drawing import agreement_figure, summary_figure
from predicdiff.studies.overview.summary import summary

LONG = "a name that goes on and on, with_underscores_in_it_and_$dollars$, " * 3


def readable(figure: Figure) -> None:
    """Texts lie on the page, and neither on each other nor on a diagram or picture with all that belongs to it."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    places = [(text.get_text(), text.get_window_extent(renderer)) for text in figure.texts]
    places += [("a diagram", axes.get_tightbbox(renderer)) for axes in figure.axes]
    for number, (name, box) in enumerate(places):
        assert figure.bbox.x0 <= box.x0, name
        assert box.x1 <= figure.bbox.x1, name
        assert figure.bbox.y0 <= box.y0, name
        assert box.y1 <= figure.bbox.y1, name
        for other, there in places[:number]:
            apart = box.x1 <= there.x0 or there.x1 <= box.x0 or box.y1 <= there.y0 or there.y1 <= box.y0
            # a tick's label may reach under the corner of the next diagram's, and a colour bar's to the word below it
            assert apart or {name, other} <= {"a diagram", "for", "against"}, (name, other)


def page(count: int, shape: tuple[int, int], name: str = "short", scale: float | None = None) -> Figure:
    colours = np.zeros((*shape, 3), np.uint8)
    panels = [Panel(colours, name, name, None if scale is None else Bar(scale, "bits")) for _ in range(count)]
    names = [f"{name} {number}" for number in range(3 * count)]
    bars = Bars("Bars", "of classes", names, np.linspace(1, 0.1, len(names)), np.linspace(0.1, 1, len(names)))
    third = np.full((3, 3), 1 / 9)
    diagrams = [bars, Places("Places", "of the map", third, third), Counts("Counts", "of images", third[0], third[1])]
    return study_figure([Strip("Maps", name, panels)] * 2, diagrams, unit="bits", title=name, caption=name * 3)


@pytest.mark.parametrize(
    ("count", "shape", "name", "scale"),
    [(1, (60, 6), "short", 0.35), (4, (12, 18), LONG, 0.35), (1, (6, 60), LONG, None), (3, (60, 6), LONG, 3500.0)],
)
def test_everything_can_be_read(count: int, shape: tuple[int, int], name: str, scale: float | None) -> None:
    readable(page(count, shape, name, scale))


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_the_same_page_gives_the_same_file(kind: str, tmp_path: Path) -> None:
    one, two = (save_figure(page(2, (8, 8)), tmp_path / f"{number}.{kind}") for number in range(2))
    assert one.read_bytes() == two.read_bytes()


def test_bars_go_to_the_right_for_and_to_the_left_against() -> None:
    bars = Bars("Bars", "", ["a", "b"], np.array([2.0, 0.5]), np.array([0.25, 4.0]))
    (axes,) = study_figure([], [bars]).axes
    ends = [(patch.get_x() + patch.get_width(), patch.get_y() + patch.get_height() / 2) for patch in axes.patches]
    assert ends == [(2.0, 0.0), (0.5, 1.0), (-0.25, 0.0), (-4.0, 1.0)]
    low, high = axes.get_ylim()
    assert low > high  # the first on top
    colours = find_colour_map()
    inks = [colours.ink(1), colours.ink(-1)]
    assert [_hex(patch.get_facecolor()) for patch in axes.patches] == [inks[0]] * 2 + [inks[1]] * 2
    assert all("-" not in label.get_text() for label in axes.get_xticklabels())


def _hex(colour: Sequence[float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour[:3])


def test_counts_are_of_all_values_and_the_line_is_their_mean() -> None:
    values, null = np.array([-1.0, 0.25, 0.25, 1.0]), np.array([0.0, 0.1])
    (axes,) = study_figure([], [Counts("Counts", "", values, null)]).axes
    heights = [patch.get_height() for patch in axes.patches]
    assert sum(heights[:24]) == 2  # the null, behind
    assert sum(heights[24:]) == 4
    assert heights[24] == heights[-1] == 1
    assert [line.get_xdata()[0] for line in axes.lines] == [pytest.approx(0.125), pytest.approx(0.05)]


def test_places_stand_where_they_are() -> None:
    right = np.arange(9).reshape(3, 3) / 36
    (axes,) = study_figure([], [Places("Places", "", right, np.full((3, 3), np.nan))]).axes
    told = {text.get_text(): text.get_position() for text in axes.texts}
    assert told["22.2 %"][0] == 2.5  # 8 of 36, in the last column
    assert 2 < told["22.2 %"][1] < 3
    assert axes.get_ylim() == (3, 0)
    assert [text.get_text() for text in axes.texts].count("-") == 9


def test_what_does_not_fit_is_refused() -> None:
    bars = Bars("Bars", "", ["a"], np.ones(1), np.ones(1))
    for strips, diagrams in (([], []), ([], [bars] * 3), ([Strip("", "", [Panel(np.zeros((2, 2, 3)), "")] * 5)], [])):
        with pytest.raises(SettingsError, match="want 1 to 4"):
            study_figure(strips, diagrams)


@pytest.mark.parametrize("count", [1, 2, 12])
def test_the_figure_of_a_study(tmp_path: Path, count: int) -> None:
    relevance = maps(count)
    study = [explained(one, (f"class {number} {LONG}",)) for number, one in enumerate(relevance)]
    found = summary(write_study(tmp_path, study, names=[f"{LONG}{number}.jpg" for number in range(count)]))
    figure = summary_figure(found, "A study")
    readable(figure)
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    np.testing.assert_array_equal(shown[0], found.ground)
    assert any(np.array_equal(one, overlay(found.mean, found.ground)) for one in shown)
    if count > 1:
        assert any(np.array_equal(one, saliency(found.spread, scale=found.spread.max())) for one in shown)
        assert any(np.array_equal(one, heat(2 * found.above - 1, scale=1.0)) for one in shown)
        worst = found.unlike(1)[0]
        number = int(worst.image.path.stem)
        assert any(np.array_equal(one, overlay(relevance[number], study[number].pixels)) for one in shown)
        assert f"r = {worst.correlation:.3f}".replace("-", "\N{MINUS SIGN}") in words(figure)


def test_maps_of_a_hidden_blob_are_enlarged_and_what_is_unknown_is_grey(tmp_path: Path) -> None:
    relevance = np.array(maps(3, (4, 4)))
    relevance[:, :, 0] = np.nan
    pixels = np.full((3, 16, 16), 50.0, np.float32)
    study = [explained(one, pixels=pixels, unit="activation") for one in relevance]
    figure = summary_figure(summary(write_study(tmp_path, study)))
    readable(figure)
    spread = figure.axes[3].images[0].get_array()
    assert spread.shape == (16, 16, 3)
    assert (spread[:, :4] == spread[0, 0]).all()
    assert (spread[0, 0] == heat(np.array([[np.nan]]))[0, 0]).all()
    assert "activation difference a pixel" in words(figure)


@pytest.mark.parametrize("count", [1, 3, 9])
def test_the_figure_of_two_studies(tmp_path: Path, count: int) -> None:
    first, second = maps(count), maps(count, seed=1)
    places = [
        write_study(tmp_path / f"{LONG[:60]}{number}", [explained(one, net=LONG) for one in relevance])
        for number, relevance in enumerate((first, second))
    ]
    found = agreement(*places)
    figure = agreement_figure(found, "Two studies")
    readable(figure)
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert len(shown) == 2 * min(count, 4)
    number = int(found.least(1)[0].match.first.path.stem)
    ground = explained(first[0]).pixels
    np.testing.assert_array_equal(shown[0], overlay(first[number], ground))
    np.testing.assert_array_equal(shown[1], overlay(second[number], ground))
    diagrams = [axes for axes in figure.axes if not axes.images]
    assert [axes.get_xlim() for axes in diagrams] == [(-1, 1), (-1, 1), (0, 1), (0, 1)]
    nulls = count if count > 1 else 0
    assert [sum(patch.get_height() for patch in axes.patches) for axes in diagrams] == [count + nulls] * 4
