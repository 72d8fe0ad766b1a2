"""The picture of a comparison: its colours pixel by pixel, its files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.drawn import draw, smooth_map
from PIL import Image

from predicdiff.comparing.compare import compare
from predicdiff.overlays import heat
from predicdiff.plotting import comparison_figure, save_figure
from predicdiff.plotting.comparison import agreement

KINDS = {"png": b"\x89PNG\r\n", "pdf": b"%PDF-", "svg": b"<?xml"}


def test_agreement_is_red_or_blue_in_both_amber_in_contradiction() -> None:
    a = np.array([[2.0, -2.0, 2.0, -0.5, 0.0, np.nan, 0.5]])
    b = np.array([[8.0, -8.0, -8.0, 2.0, 8.0, 1.0, 2.0]])
    colours = agreement(a, b)
    # in units of each scale: 1 and 1, -1 and -1, 1 and -1, -1/4 and 1/4, 0 and 1, unknown, 1/4 and 1/4
    wanted = heat(np.array([[1.0, -1.0, 0.0, 0.0, 0.0, np.nan, 0.25]]), scale=1.0)
    red, green, blue = colours[0, 2].astype(int)
    assert red > green > blue == 0
    weak = colours[0, 3].astype(int)
    np.testing.assert_allclose(255 - weak, (255 - colours[0, 2].astype(int)) / 4, atol=1)
    rest = [0, 1, 4, 5, 6]
    np.testing.assert_array_equal(colours[0, rest], wanted[0, rest])


@pytest.mark.parametrize(
    ("kind", "shape"), [("png", (40, 40)), ("png", (20, 90)), ("pdf", (40, 40)), ("svg", (20, 90))]
)
def test_figures_are_files_of_any_kind(kind: str, shape: tuple[int, int], tmp_path: Path) -> None:
    a, b = smooth_map(0, shape), smooth_map(1, shape)
    path = save_figure(comparison_figure(compare(a, b)), tmp_path / f"two.{kind}")
    assert path.read_bytes().startswith(KINDS[kind])
    with_nulls = compare(a, draw("hsv", a), nulls=[b, -b])
    assert save_figure(comparison_figure(with_nulls, "A title"), path).read_bytes().startswith(KINDS[kind])


def test_the_same_comparison_gives_the_same_bytes(tmp_path: Path) -> None:
    a = smooth_map(0, (40, 40))
    figures = [comparison_figure(compare(a, draw("plain", a), nulls=[-a])) for _ in range(2)]
    files = [save_figure(figure, tmp_path / "figure.svg").read_bytes() for figure in figures]
    assert files[0] == files[1]


def test_maps_of_zeros_and_unknown_ranks_draw_too(tmp_path: Path) -> None:
    zeros = np.zeros((30, 30))
    zeros[:5] = np.nan
    compared = compare(zeros, smooth_map(0, (30, 20)), nulls=[smooth_map(1, (30, 30)), zeros * 0])
    assert save_figure(comparison_figure(compared), tmp_path / "zeros.png").exists()


def test_what_is_drawn_is_where_it_should_be(tmp_path: Path) -> None:
    """A red spot off the centre is in the same place of all four panels, the agreement's too."""
    relevance = np.zeros((60, 60))
    relevance[8:16, 36:48] = 1.0
    compared = compare(relevance, draw("plain", relevance))
    path = save_figure(comparison_figure(compared), tmp_path / "spot.png", dpi=100)
    page = np.array(Image.open(path).convert("RGB")).astype(int)
    reds = (page[..., 0] - page[..., 2] > 90) & (page[..., 1] < 60)
    axes = comparison_figure(compared).axes[:4]
    for one in axes:
        box = one.get_position()
        high, wide = reds.shape
        left, right = round(box.x0 * wide), round(box.x1 * wide)
        top, bottom = round((1 - box.y1) * high), round((1 - box.y0) * high)
        rows, columns = np.nonzero(reds[top:bottom, left:right])
        assert rows.mean() / (bottom - top) == pytest.approx(11.5 / 60, abs=0.02)
        assert columns.mean() / (right - left) == pytest.approx(41.5 / 60, abs=0.02)
