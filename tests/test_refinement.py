"""Stages that refine: each holds the one before, and what the last gives is what its settings alone give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import LinearNet, MapNet, NormalSampler, analysis, photo

import predicdiff as pd
from predicdiff.errors import SettingsError
from predicdiff.refinement import FIRST_DRAWS, Level, levels
from predicdiff.samplers.grey import GreyPatch

SHAPE = (1, 30, 41)
IMAGE = photo(SHAPE, 1)
HOW: dict[str, Any] = {"window": 5, "units": [0], "samples": 7}


def net() -> MapNet:
    return MapNet(SHAPE, seed=1)


def refined(sampler: Any = None, **asked: Any) -> tuple[pd.Explanation, list[pd.Explanation]]:
    """The result, and what every stage before it gave."""
    told: list[pd.Explanation] = []
    return pd.explain(net(), IMAGE, sampler or NormalSampler(), renew=told.append, **{**HOW, **asked}), told


def reached(result: pd.Explanation) -> dict[str, Any]:
    """Those of `explain`'s settings that a run has come to."""
    return {name: result.settings[name] for name in ("stride", "samples")}


def assert_same(one: pd.Explanation, other: pd.Explanation) -> None:
    # the same draws, in batches of other sizes, whose values may be rounded otherwise
    for name in ("relevance", "stderr"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=0, atol=1e-9)
    np.testing.assert_allclose(one.reliability, other.reliability, rtol=1e-6)


def test_each_stage_gives_what_its_settings_alone_give() -> None:
    result, told = refined(until=0.999999)
    assert [one.provenance["finished"] for one in told] == [False] * len(told)
    assert "finished" not in result.provenance
    for one in [*told, result]:
        alone = pd.explain(net(), IMAGE, NormalSampler(), between="linear", **{**HOW, **reached(one)})
        assert_same(one, alone)
        assert {**alone.settings, "until": 0.999999} == one.settings
    assert reached(result) == {"stride": 1, "samples": 7}
    evaluations = [one.provenance["stages"][-1] for one in [*told, result]]
    assert result.provenance["stages"] == evaluations


def test_it_ends_as_soon_as_every_target_is_reliable_enough() -> None:
    result, told = refined(until=0.9, units=[0, 2])
    assert result.reliability.min() >= 0.9
    assert all(not one.reliability.min() >= 0.9 for one in told)
    assert reached(result) != {"stride": 1, "samples": 7}
    one, _ = refined(until=0.9, units=[0])
    assert len(one.provenance["stages"]) <= len(result.provenance["stages"])


def test_no_stage_takes_more_than_all_before_it_and_each_grid_holds_the_one_before() -> None:
    planned = analysis(MapNet((1, 120, 150)), photo((1, 120, 150)), NormalSampler(), window=10, samples=20, stride=1)
    found = levels((120, 150), planned.settings)
    assert found[0] == Level((16, 32), FIRST_DRAWS)
    assert found[-1] == Level((1, 1), 20)
    costs = []
    before: set[tuple[int, ...]] = set()
    for level in found:
        how = {"window": 10, "samples": level.samples, "stride": level.strides, "between": "linear"}
        origins = analysis(planned.net, planned.pixels, NormalSampler(), **how).origins
        places = set(map(tuple, origins.tolist()))
        assert before <= places
        costs.append(len(places) * level.samples)
        before = places
    assert max(after / cost for cost, after in zip(costs, costs[1:])) <= 2


def test_strides_that_were_asked_for_are_the_finest() -> None:
    result, told = refined(until=0.999999, stride=(3, 2), samples=3)
    assert reached(result) == {"stride": [3, 2], "samples": 3}
    assert [one.settings["samples"] for one in told] == [2] * len(told)


def test_an_interrupted_run_goes_on_and_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, told = refined(until=0.999999)
    for stop in (1, len(told) - 1):
        path, seen = tmp_path / f"{stop}.tiles", []

        def interrupt(one: pd.Explanation, seen: list[Any] = seen, stop: int = stop) -> None:
            seen.append(one)
            if len(seen) == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            pd.explain(net(), IMAGE, NormalSampler(), until=0.999999, renew=interrupt, checkpoint=path, **HOW)
        again = pd.explain(net(), IMAGE, NormalSampler(), until=0.999999, checkpoint=path, **HOW)
        np.testing.assert_array_equal(again.relevance, whole.relevance)
        assert again.provenance["windows_before"] > 0
        assert again.settings == whole.settings
    # tiles do not depend on where the run is to end: another goal goes on with them
    near = pd.explain(net(), IMAGE, NormalSampler(), until=0.9, checkpoint=path, **HOW)
    assert near.provenance["windows_before"] > 0
    with pytest.raises(pd.PredicdiffError, match="tiles of a run with other settings"):
        pd.explain(net(), IMAGE, NormalSampler(), checkpoint=path, **HOW)


def test_progress_goes_on_over_the_stages() -> None:
    told: list[tuple[int, int]] = []
    result, _ = refined(until=0.97, progress=lambda done, count: told.append((done, count)))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    assert len(result.provenance["stages"]) > 1


def test_a_budget_that_is_used_up_ends_it_after_the_first_stage() -> None:
    result, told = refined(budget=1e-9)
    assert told == []
    assert len(result.provenance["stages"]) == 1
    result, _ = refined(budget=1e9)
    assert reached(result) == {"stride": 1, "samples": 7}


@pytest.mark.parametrize("others", [3, 5, 6, 20])
def test_of_a_small_corpus_the_draws_are_those_of_one_run(others: int) -> None:
    """A corpus that is used up is taken in order, whatever was drawn of it before."""
    images = np.stack([photo(SHAPE, 10 + number) for number in range(others)])
    result, _ = refined(pd.MarginalSampler(images), until=0.999999)
    alone = pd.explain(net(), IMAGE, pd.MarginalSampler(images), **{**HOW, **reached(result)})
    assert_same(result, alone)


def test_draws_that_change_with_their_number_are_made_anew_once() -> None:
    class Keyed(NormalSampler):
        def draw(self, pixels: Any, origins: Any, *, window: int, samples: int, seed: int) -> np.ndarray:
            return super().draw(pixels, origins, window=window, samples=samples, seed=seed + samples)

    result, told = refined(Keyed(), until=0.999999)
    assert [one.settings["samples"] for one in told if one.settings["stride"] == 1] == [2]
    assert_same(result, pd.explain(net(), IMAGE, Keyed(), **{**HOW, **reached(result)}))
    assert any("A reliability of 0.999999 was asked for" in note for note in result.notes)


def test_a_budget_holds_where_all_so_far_was_finished_before(tmp_path: Path) -> None:
    how: dict[str, Any] = {**HOW, "checkpoint": tmp_path / "tiles", "budget": 1e-9}
    first = pd.explain(net(), IMAGE, NormalSampler(), **how)
    again = pd.explain(net(), IMAGE, NormalSampler(), **how)
    assert reached(again) == reached(first)
    np.testing.assert_array_equal(again.relevance, first.relevance)


def test_where_nothing_is_drawn_one_draw_tells_enough() -> None:
    weights = np.zeros((2, *SHAPE))
    weights[1] = np.outer(np.linspace(-1, 1, 30), np.ones(41))
    flat = LinearNet(weights)
    result = pd.occlusion(flat, np.full(SHAPE, 9.0, np.float32), window=5, blob="scores", units=[1], until=0.99)
    assert result.settings["stride"] == 4  # the coarsest without gaps: evidence is linear in place
    assert result.reliability[0] == pytest.approx(1, abs=1e-9)
    assert result.settings["between"] == "linear"


def test_channels_apart_and_a_hidden_start_refine_too() -> None:
    two = (2, 30, 41)
    image, how = photo(two, 1), {"window": 5, "units": [0], "samples": 4, "channels_apart": True}
    result = pd.explain(MapNet(two), image, NormalSampler(), until=0.9, **how)
    alone = pd.explain(MapNet(two), image, NormalSampler(), between="linear", **{**how, **reached(result)})
    assert len(result) == 2
    assert_same(result, alone)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"until": 1.0}, "until = 1.0: want a reliability above 0 and below 1"),
        ({"until": 0}, "until = 0: want a reliability above 0"),
        ({"until": "0.99"}, "until = '0.99': want a reliability"),
        ({"until": float("nan")}, "until = nan: want a reliability"),
        ({"budget": -3}, "budget = -3: want a number of seconds above 0 and below inf"),
        ({"until": 0.9, "between": "none"}, "leave out between"),
        ({"until": 0.9, "samples": 1}, "can't be told from one draw a window: want samples S of 2 or more"),
    ],
)
def test_goals_that_are_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        pd.explain(net(), IMAGE, NormalSampler(), **{**HOW, **asked})


def test_always_the_same_images_tell_no_reliability() -> None:
    first = pd.MarginalSampler(np.stack([photo(SHAPE, 10 + number) for number in range(9)]), choice="first")
    with pytest.raises(SettingsError, match="draws of MarginalSampler that are always the same ones"):
        pd.explain(net(), IMAGE, first, until=0.9, **HOW)
    assert pd.explain(net(), IMAGE, first, **HOW).reliability is None


def test_grey_patches_refine_with_what_they_are_given() -> None:
    result, told = refined(GreyPatch(), until=0.9)
    assert {one.settings["samples"] for one in [*told, result]} == {1}
