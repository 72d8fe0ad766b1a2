"""Rectangles, whole rows and whole columns, against loops on inputs that are not square."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import small_net
from helpers.engines import needed
from helpers.one_at_a_time import bits, one_at_a_time
from helpers.oracle_nets import MapNet, NormalSampler, photo

import predicdiff as pd
from predicdiff.errors import WindowError
from predicdiff.judging.faithfulness import faithfulness
from predicdiff.methods.prepared import default_sampler
from predicdiff.samplers.grey import GreyPatch
from predicdiff.samplers.hidden import hidden_marginal
from predicdiff.windows import usual_context

SHAPE = (3, 9, 14)


@pytest.mark.parametrize(
    ("asked", "window", "stride"), [((2, "all"), (2, 14), 2), (("all", 3), (9, 3), 1), (["all", 5], (9, 5), 4)]
)
def test_whole_rows_and_columns_by_loops(asked: Any, window: tuple[int, int], stride: int) -> None:
    net, image = MapNet(SHAPE, seed=1), photo(SHAPE, 2)
    how: dict[str, Any] = {"samples": 3, "stride": stride, "seed": 5}
    result = pd.explain(net, image, NormalSampler(), units=[2], window=asked, **how)
    wanted, stderr = one_at_a_time(
        lambda pixels: [float(net.forward(net.encode(pixels)[None], ["prob"])["prob"][0, 2])],
        image, NormalSampler(), window=window, function=bits(10_000, 4), **how,
    )  # fmt: skip
    np.testing.assert_allclose(result.relevance[0], wanted, rtol=2e-4, atol=2e-5 * np.abs(wanted).max())
    np.testing.assert_allclose(result.stderr[0], stderr, rtol=2e-4, atol=2e-5 * np.abs(wanted).max())
    assert result.settings["window"] == list(window)


@needed
@pytest.mark.parametrize(("asked", "window"), [((2, "all"), (2, 14)), (("all", 3), (9, 3)), ((2, 6), (2, 6))])
@pytest.mark.parametrize("kind", ["conditional", "marginal", "grey"])
def test_every_sampler_and_what_only_changes_by_loops(kind: str, asked: Any, window: tuple[int, int]) -> None:
    net, image, corpus = small_net.make(SHAPE), photo(SHAPE, 2), np.stack([photo(SHAPE, 9 + i) for i in range(7)])
    if kind == "conditional":
        context = usual_context(window, SHAPE[1:])
        assert context == tuple(min(side + 4, size) for side, size in zip(window, SHAPE[1:]))
        sampler: Any = pd.GaussianSampler.fit(corpus, context, patches=900)
    else:
        sampler = pd.MarginalSampler(corpus) if kind == "marginal" else GreyPatch()
    how: dict[str, Any] = {"samples": 1 if kind == "grey" else 3, "stride": 2, "seed": 5}
    result = pd.explain(net, image, sampler, blob="fc", units=[2], window=asked, **how)
    wanted, _ = one_at_a_time(
        lambda pixels: [float(net.forward(net.encode(pixels)[None], ["fc"])["fc"][0, 2])],
        image, sampler, window=window, **how,
    )  # fmt: skip
    np.testing.assert_allclose(result.relevance[0], wanted, rtol=2e-4, atol=2e-5 * np.abs(wanted).max())


@needed
def test_whole_rows_of_a_hidden_blob_and_of_a_region() -> None:
    net, image, corpus = small_net.make(SHAPE), photo(SHAPE, 2), np.stack([photo(SHAPE, 9 + i) for i in range(4)])
    hidden = hidden_marginal(net, corpus, "conv")
    how: dict[str, Any] = {"blob": "fc", "units": [1], "samples": 2, "start": "conv"}
    rows, plain = (pd.explain(net, image, hidden, window=k, **how) for k in ((2, "all"), (2, 12)))
    np.testing.assert_array_equal(rows.relevance, plain.relevance)
    how = {"blob": "fc", "units": [1], "samples": 2, "region": (1, 2, 7, 5)}
    rows, plain = (pd.explain(net, image, pd.MarginalSampler(corpus), window=k, **how) for k in ((2, "all"), (2, 5)))
    np.testing.assert_array_equal(rows.relevance, plain.relevance)


@needed
def test_a_sampler_for_whole_rows_looks_as_far_as_there_is_room() -> None:
    corpus = np.stack([photo((3, 7, 5), seed) for seed in range(4)])
    assert default_sampler(small_net.make((3, 7, 5)), window=(1, "all"), images=(corpus, list("abcd"))).context == 5
    assert default_sampler(small_net.make((3, 7, 5)), window=("all", 1), images=(corpus, list("abcd"))).context == (
        7,
        5,
    )


@needed
def test_methods_are_held_against_each_other_with_whole_rows() -> None:
    net, images = small_net.make(SHAPE), {"one": photo(SHAPE, 2)}
    how: dict[str, Any] = {"methods": ["occlusion"], "steps": 4, "block": 3}
    rows, plain = (faithfulness(net, images, window=k, **how) for k in ((2, "all"), (2, 14)))
    assert rows.settings["windows"]["window"] == [2, 14]
    np.testing.assert_array_equal(rows.curves["deletion"], plain.curves["deletion"])


@pytest.mark.parametrize("window", ["all", (2, "rows"), ("all", 3, 3), (2.5, "all")])
def test_other_words_are_refused(window: Any) -> None:
    with pytest.raises(WindowError, match="want a whole number, at least 1, or 2 of them"):
        pd.explain(MapNet(SHAPE), photo(SHAPE), NormalSampler(), units=[0], window=window)
