"""What every net keeps to, by whatever door it came, whatever computes it and in whatever way."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from helpers.contract_nets import INSTANCES, Held
from helpers.one_at_a_time import bits, bits_against, gap, one_at_a_time, value
from helpers.same import assert_same
from helpers.unchanged import unchanged

import predicdiff as pd
from predicdiff.executors.here import evaluate_tile
from predicdiff.plan import make_plan
from predicdiff.samplers.hidden import hidden_marginal
from predicdiff.settings import Settings

# ------------------------------------------------------------------------------------------ the right map


def evidence(held: Held) -> tuple[dict[str, Any], Any]:
    function = bits(INSTANCES, len(held.blobs(held.encode(held.image), {})["prob"]))
    return {}, [{"units": [unit], "function": function} for unit in held.units]


def evidence_against(held: Held) -> tuple[dict[str, Any], Any]:
    one, other = held.units
    function = bits_against(INSTANCES, len(held.blobs(held.encode(held.image), {})["prob"]))
    return {"units": [one], "against": other}, [{"units": [one, other], "function": function}]


def scores_against(held: Held) -> tuple[dict[str, Any], Any]:
    one, other = held.units
    asked = {"blob": held.net.scores, "units": [one], "against": other}
    return asked, [{"units": [one, other], "function": gap}]


def a_maps_mean(held: Held) -> tuple[dict[str, Any], Any]:
    if not held.starts:
        pytest.skip("this net shows no hidden blobs")
    return {"blob": held.starts[0], "units": None, "channels": [1]}, [{"units": [1], "function": value}]


def channels_apart(held: Held) -> tuple[dict[str, Any], Any]:
    asked = {"blob": held.net.scores, "units": held.units[:1], "channels_apart": True}
    return asked, [{"units": held.units[:1], "function": value, "channel": channel} for channel in range(3)]


@pytest.mark.parametrize("of", [evidence, evidence_against, scores_against, a_maps_mean, channels_apart])
def test_the_map_is_that_of_pasting_one_draw_at_a_time(held: Held, of: Callable[..., Any]) -> None:
    asked, targets = of(held)
    result = held.explained(**asked)
    in_the_loop(held, result, targets, held.look, held.image, held.sampler)


@pytest.mark.parametrize("number", range(3))
def test_from_a_hidden_blob_too(held: Held, number: int) -> None:
    if not held.starts:
        pytest.skip("this net shows no hidden blobs")
    start = held.starts[number]
    sampler = hidden_marginal(held.net, held.corpus, start)
    result = held.explained(sampler, start=start, blob=held.net.scores, units=held.units[:1], window=(4, 3), stride=3)
    targets = [{"units": held.units[:1], "function": value, "population": len(held.corpus)}]
    ground = held.blobs(held.encode(held.image), {})[start]
    in_the_loop(held, result, targets, partial(held.look_from, start), ground, sampler)


def in_the_loop(
    held: Held, result: pd.Explanation, targets: Any, look: Callable[..., Any], ground: np.ndarray, sampler: Any
) -> None:
    """Hold a result's maps against the loop's."""
    blob = result.settings["blob"]
    rounding = held.rounding(blob)
    asked = {name: result.settings[name] for name in ("window", "stride", "samples", "seed")}
    assert len(result.relevance) == len(targets)
    for relevance, stderr, target in zip(result.relevance, result.stderr, targets):
        units = target.pop("units")
        wanted, error = one_at_a_time(look(blob, units), ground, sampler, **asked, **target)
        np.testing.assert_allclose(relevance, wanted, rtol=0, atol=rounding)
        np.testing.assert_allclose(stderr, error, rtol=0, atol=rounding)
        assert np.abs(wanted).max() > 100 * rounding, "so small a map would show nothing"


# ------------------------------------------------------------------------------------------ draws, batches, tiles


def test_a_seed_gives_the_same_bits_and_another_seed_others(held: Held) -> None:
    assert same_bits(held.explained(seed=0), held.result)
    apart = np.abs(held.explained(seed=4).relevance - held.result.relevance).max()
    assert apart > 100 * held.rounding(held.net.output)


@pytest.mark.parametrize("batch_size", [1, 999, None])
def test_batches_and_memory_change_no_more_than_rounding(held: Held, batch_size: int | None) -> None:
    once, each = held.net.bytes_needed(held.net.output, start=None, window=held.how["window"])
    memory = int((once + 4 * each) / 0.9)  # for batches of about 4, where their size is not given
    result, wanted = held.explained(batch_size=batch_size, memory=memory), held.result
    assert result.provenance["batch_size"] != wanted.provenance["batch_size"]
    for array, other in ((result.relevance, wanted.relevance), (result.stderr, wanted.stderr)):
        np.testing.assert_allclose(array, other, rtol=0, atol=held.rounding(held.net.output))


def test_tiles_of_any_size_and_in_any_order_change_no_more_than_rounding(held: Held) -> None:
    asked = {**held.asked, "training_instances": INSTANCES}
    plan = make_plan(held.net, held.image, Settings(**asked)).with_sampler(held.sampler)
    whole, _ = evaluate_tile(plan, slice(0, len(plan.origins)), 20)
    for evaluations in (1, 4 * plan.settings.samples):
        tiles = plan.tiles(evaluations)
        assert len(tiles) > 2
        backwards = [evaluate_tile(plan, tile, 20)[0] for tile in reversed(tiles)]
        for found, wanted in zip(map(np.concatenate, zip(*reversed(backwards))), whole):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=held.rounding(held.net.output))


# ------------------------------------------------------------------------------------------ what is the caller's


def test_nothing_of_the_callers_is_changed(fresh: Held) -> None:
    image, corpus = fresh.image.copy(), fresh.corpus.copy()
    with unchanged(image, corpus, module=fresh.module):
        net = fresh.net
        for asked in ({}, {"channels_apart": True}, {"blob": net.scores, "batch_size": 5}):
            pd.explain(net, image, fresh.sampler, **{**fresh.asked, **asked})
        for start in fresh.starts[:1]:
            hidden = hidden_marginal(net, corpus, start)
            pd.explain(net, image, hidden, start=start, window=2, stride=2, samples=2, units=fresh.units)
        pd.occlusion(net, image, window=6, stride=6, units=fresh.units)
        if fresh.gradients:
            pd.sensitivity(net, image, unit=fresh.units[0])
        pd.check_net(net)
        net.with_weights(net.weights)


# ------------------------------------------------------------------------------------------ files, anybody's nets


def test_saved_and_loaded_the_result_is_the_same(held: Held, tmp_path: Path) -> None:
    held.result.save(tmp_path / "result.h5")
    assert_same(pd.Explanation.load(tmp_path / "result.h5"), held.result)


def test_it_passes_for_anybodys_net(held: Held) -> None:
    pd.check_net(held.net)


def same_bits(one: pd.Explanation, other: pd.Explanation) -> bool:
    return one.relevance.tobytes() == other.relevance.tobytes() and one.stderr.tobytes() == other.stderr.tobytes()
