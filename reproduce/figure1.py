"""The paper's figure 1: what speaks for and against the predicted class, by three methods, for every net and image.

Rows: (a) sensitivity map, (b) marginal sampling, (c) the same over the image, (d) conditional sampling, (e) the same
over the image. Nets are those of AlexNet, GoogLeNet and VGG16 whose weights are there or can be fetched. SqueezeNet 1.1
stands in for AlexNet, and where no weights can be had EfficientNet-Lite0 for all of them.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from predicdiff.explanation import Explanation
from predicdiff.methods.sensitivity import sensitivity
from predicdiff.overlays import heat, overlay, picture, saliency
from predicdiff.plotting import Block

from . import common

WINDOW = 10
KINDS = ("marginal", "conditional")
ROWS = (
    "(a) sensitivity map",
    "(b) marginal sampling",
    "(c) marginal, overlaid",
    "(d) conditional sampling",
    "(e) conditional, overlaid",
)
CAPTION = (
    f"Evidence for ({common.POSITIVE}) and against ({common.NEGATIVE}) the class that each net predicts. "
    "(a) Gradient of the pre-softmax score: absolute value, largest over the colours. (b, c) A window's contents "
    "taken from other images. (d, e) Drawn from a Gaussian, given what surrounds the window. "
)


def column(net: Any, marginal: Explanation, conditional: Explanation) -> tuple[Sequence[np.ndarray], Sequence[str]]:
    """Five panels of one net, and what stands under each."""
    pixels, unit = marginal.pixels, marginal.targets[0].unit[0]
    panels, notes = [saliency(sensitivity(net, pixels, unit=unit))], [""]
    for result in (marginal, conditional):
        relevance = result.relevance[0]
        panels += [heat(relevance), overlay(relevance, pixels)]
        notes += ["", common.full_colour(relevance, result.unit)]
    return panels, notes


def block(cases: Sequence[common.Case], pairs: Sequence[Sequence[Explanation]]) -> Block:
    """One image's: a column for each net; of a single net all maps in a row, which leaves no place empty."""
    columns = [column(case.net, *pair) for case, pair in zip(cases, pairs)]
    panels, notes = (list(parts) for parts in zip(*columns))
    if len(cases) > 1:
        panels, notes = (list(zip(*parts)) for parts in (panels, notes))
    text = "\n".join(
        f"{case.title}: {marginal.targets[0].name}, p = {marginal.base[0]:.2f}"
        for case, (marginal, _) in zip(cases, pairs)
    )
    heads = [case.title for case in cases] if len(cases) > 1 else ROWS
    return Block(picture(pairs[0][0].pixels), heads, panels, notes, title=cases[0].name, text=text)


@common.figure(common.Request)
def main(request: common.Request) -> None:
    """Make the maps that are not there yet, then the page."""
    cases, stand_in = common.cases(request)
    quality, seed = request.quality, request.seed
    jobs = []
    for case in cases:
        for kind in KINDS:
            path, sampler = case.path(request.out, 1, kind, quality), common.sampler(case, WINDOW, seed, kind)
            jobs.append(common.job(path, case.net, case.image, sampler, quality, window=WINDOW, seed=seed))
    results = common.work("Figure 1", jobs)
    pairs = common.grouped(results, len(KINDS))
    nets = len({case.title for case in cases})
    blocks = [block(*image) for image in zip(common.grouped(cases, nets), common.grouped(pairs, nets))]
    caption = f"{CAPTION}{common.settings(results, quality)} {stand_in}"
    rows, how = (ROWS, {}) if nets > 1 else ([""], {"across": 1})
    common.page(request.out, 1, blocks, rows, caption, common.facts_of(cases, pairs), **how)


if __name__ == "__main__":
    main()
