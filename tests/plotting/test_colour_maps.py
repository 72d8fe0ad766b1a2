"""A colour map's words and inks reach captions and legends."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.colours import DUSK
from helpers.figures import words
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from predicdiff import overlays, palettes
from predicdiff.comparing.compare import compare
from predicdiff.plotting import Block, beside, comparison_figure, grid_figure

RELEVANCE = np.array([[1.0, -1.0], [0.5, 0.0]])
YELLOW, GREEN = (255, 255, 0), (0, 255, 0)


@pytest.fixture(autouse=True)
def dusk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(palettes.COLOUR_MAPS, "dusk", DUSK)


def legend(figure: Figure) -> dict[str, tuple[float, ...]]:
    return {text.get_text(): to_rgb(text.get_color()) for text in figure.texts}


def test_a_comparison_names_the_colours_that_it_shows() -> None:
    page = comparison_figure(compare(RELEVANCE, -RELEVANCE), cmap="dusk")
    assert "yellow for in both, green against in both" in words(page).replace("\n", " ")
    np.testing.assert_array_equal(page.axes[0].images[0].get_array()[0], [YELLOW, GREEN])


@pytest.mark.parametrize("kind", ["grid", "bar"])
def test_for_and_against_are_written_in_the_colours_at_half_the_scale(kind: str) -> None:
    colours = overlays.heat(RELEVANCE, cmap="dusk")
    if kind == "grid":
        page = grid_figure([Block(colours, ["net"], [[colours]])], ["map"], cmap="dusk")
    else:
        page = beside(np.zeros((3, 2, 2)), colours, "map", scale=1.0, cmap="dusk")
    # half way from grey to yellow and to green, and darker, as thin strokes must be; yellow more so, to be read
    np.testing.assert_allclose(legend(page)["for"], 0.95 * palettes.INK * np.array([0.7, 0.7, 0.2]), atol=0.004)
    np.testing.assert_allclose(legend(page)["against"], palettes.INK * np.array([0.2, 0.7, 0.2]), atol=0.003)
    ramp = page.axes[-1].images[0].get_array().reshape(-1, 3)
    assert {tuple(ramp[0]), tuple(ramp[-1])} == {YELLOW, GREEN}
