"""Windows kept to a region of the picture, against loops over the region alone and against pictures of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.one_at_a_time import bits, one_at_a_time
from helpers.oracle_nets import MapNet, NormalSampler, photo

import predicdiff as pd
from predicdiff.errors import SettingsError
from predicdiff.images import View
from predicdiff.overlays import greyed, overlay
from predicdiff.shapes.region import find_region

SHAPE = (2, 9, 14)
REGION = (1, 4, 6, 9)
PART = (slice(1, 7), slice(4, 13))


def in_the_region(net: MapNet, image: np.ndarray, unit: int, **how: Any) -> tuple[np.ndarray, np.ndarray]:
    """Relevance and error of the region by loops, as of a picture that is no larger."""

    def look(part: np.ndarray) -> list[float]:
        whole = image.copy()
        whole[(slice(None), *PART)] = part
        return [float(net.forward(net.encode(whole)[None], ["prob"])["prob"][0, unit])]

    class Shifted(NormalSampler):
        def draw(self, pixels: np.ndarray, origins: np.ndarray, **asked: Any) -> np.ndarray:
            return super().draw(pixels, origins + REGION[:2], **asked)

    return one_at_a_time(look, image[(slice(None), *PART)], Shifted(), function=bits(10_000, 4), **how)


@pytest.mark.parametrize(("window", "stride", "between"), [(3, 1, "linear"), ((2, 5), 3, "linear"), (4, 3, "none")])
def test_windows_in_the_region_by_loops(window: Any, stride: int, between: str) -> None:
    net, image = MapNet(SHAPE, seed=1), photo(SHAPE, 2)
    how: dict[str, Any] = {"window": window, "samples": 3, "stride": stride, "seed": 5, "between": between}
    if stride > min(np.broadcast_to(window, 2)):
        how["between"] = "linear"
    result = pd.explain(net, image, NormalSampler(), units=[2], region=REGION, **how)
    relevance, stderr = in_the_region(net, image, 2, **how)
    np.testing.assert_allclose(result.relevance[0][PART], relevance, rtol=2e-4, atol=2e-5 * np.abs(relevance).max())
    np.testing.assert_allclose(result.stderr[0][PART], stderr, rtol=2e-4, atol=2e-5 * np.abs(relevance).max())
    around = np.ones(SHAPE[1:], bool)
    around[PART] = False
    assert np.isnan(result.relevance[0][around]).all()
    assert np.isnan(result.stderr[0][around]).all()
    assert result.settings["region"] == list(REGION)


def test_refined_within_the_region_as_its_settings_alone_give() -> None:
    shape = (1, 34, 41)
    net, image, how = MapNet(shape, seed=1), photo(shape, 1), {"window": 5, "units": [0], "region": (2, 3, 30, 25)}
    refined = pd.explain(net, image, NormalSampler(), samples=4, until=0.9, **how)
    assert refined.reliability.min() >= 0.9
    reached = {name: refined.settings[name] for name in ("stride", "samples")}
    alone = pd.explain(net, image, NormalSampler(), between="linear", **reached, **how)
    np.testing.assert_allclose(refined.relevance, alone.relevance, atol=1e-9)
    assert np.isfinite(refined.relevance).sum() == 30 * 25


@pytest.mark.parametrize(
    "view", [View("warp"), View("short", 32), View("crop"), View("warp", (64, 50)), View("short", 90)]
)
def test_what_the_net_sees_of_the_region_is_what_is_bright_where_the_region_is_bright(view: View) -> None:
    original, crop, region = (50, 80), (30, 40), (11, 24, 23, 32)
    bright = np.zeros((*original, 1))
    bright[11:34, 24:56] = 1.0
    frame = view.frame(original, crop)
    found = find_region(region, frame=frame, seen=crop, ground=crop, window=(1, 1))
    inside = found.set_in(np.ones(found.size), crop)
    np.testing.assert_array_equal(np.isfinite(inside), view.apply(bright, crop)[0] > 0.5)


def test_regions_beside_each_other_share_no_unit_of_a_hidden_blob_and_leave_none_out() -> None:
    ask: dict[str, Any] = {"frame": None, "seen": (30, 40), "ground": (7, 9), "window": (1, 1)}
    upper, lower = (find_region(region, **ask) for region in ((0, 0, 17, 40), (17, 0, 13, 40)))
    assert (upper.corner, lower.corner) == ((0, 0), (upper.size[0], 0))
    assert upper.size[0] + lower.size[0] == 7
    assert upper.size[1] == lower.size[1] == 9


@pytest.mark.parametrize(
    ("region", "match"),
    [
        ((1, 2, 3), r"region = \(1, 2, 3\): want \(row, column, height, width\)"),
        ("1,2,3,4", "want \\(row, column, height, width\\)"),
        ((1, 2.5, 3, 4), "the region's column = 2.5"),
        ((-1, 0, 3, 4), "region -1,0,3,4: want the row and the column"),
        ((0, 0, 0, 4), "region 0,0,0,4: want the row and the column"),
        ((0, 10, 5, 5), "reaches over the border of the picture, which is 9 x 14"),
        ((0, 0, 2, 14), "region 0,0,2,14 is 2 x 14 where windows lie, too small for one of 3 x 3"),
    ],
)
def test_regions_that_do_not_fit_are_refused(region: Any, match: str) -> None:
    with pytest.raises(SettingsError, match=match):
        pd.explain(MapNet(SHAPE), photo(SHAPE), NormalSampler(), window=3, samples=2, units=[0], region=region)


def test_a_region_that_the_net_does_not_see_is_refused() -> None:
    frame = View("crop").frame((50, 80), (30, 40))
    with pytest.raises(SettingsError, match="region 0,0,10,80 shows nothing of what the net sees"):
        find_region((0, 0, 10, 80), frame=frame, seen=(30, 40), ground=(30, 40), window=(1, 1))


def test_around_the_region_the_picture_is_seen() -> None:
    image = photo((1, *SHAPE[1:]), 2)
    net = MapNet(image.shape, seed=1)
    result = pd.explain(net, image, NormalSampler(), window=3, samples=2, units=[0], region=REGION)
    drawn, below = overlay(result.relevance[0], image), greyed(image)
    clear = (drawn == below).all(axis=2)
    assert clear.sum() - clear[PART].sum() == clear.size - 6 * 9
    assert clear[PART].mean() < 0.5
