"""The paper's figure 1: what speaks for and against the predicted class, by three methods, for every net and image.

Rows: (a) sensitivity map, (b) marginal sampling, (c) the same over the image, (d) conditional sampling, (e) the same
over the image. Nets are those of AlexNet, GoogLeNet and VGG16 whose weights are there or can be fetched; where none is,
EfficientNet-Lite0 stands in for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from predicdiff.explanation import Explanation
from predicdiff.methods.sensitivity import sensitivity
from predicdiff.overlays import heat, overlay, picture, saliency
from predicdiff.plotting import Block

from . import common

WINDOW, CONTEXT = 10, 14
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


def column(net: Any, marginal: Explanation, conditional: Explanation) -> tuple[list[np.ndarray], list[str]]:
    """Five panels of one net, and what stands under each."""
    pixels, unit = marginal.pixels, marginal.targets[0].unit[0]
    panels, notes = [saliency(sensitivity(net, pixels, unit=unit))], [""]
    for result in (marginal, conditional):
        relevance = result.relevance[0]
        panels += [heat(relevance), overlay(relevance, pixels)]
        notes += ["", common.full_colour(relevance, result.unit)]
    return panels, notes


@common.figure_options
def main(nets: common.Choice, images: tuple[str, ...], quality: str, seed: int, out: Path) -> None:
    """Make the maps that are not there yet, then the page."""
    loaded, stand_in = common.nets(nets)
    pictures = common.images(images)
    jobs = []
    for name, image in pictures.items():
        for net in loaded.values():
            for kind, sampler in common.samplers(net, image, context=CONTEXT, seed=seed).items():
                path = out / "figure1" / f"{name}_{net.name}_{kind}_{quality}.h5"
                jobs.append(common.job(path, net, image, sampler, quality, window=WINDOW, seed=seed))
    results = common.work("Figure 1", jobs)
    coming = iter(results)
    blocks, numbers = [], []
    for name in pictures:
        columns, lines = [], []
        for title, net in loaded.items():
            marginal, conditional = next(coming), next(coming)
            columns.append(column(net, marginal, conditional))
            lines.append(f"{title}: {marginal.targets[0].name}, p = {marginal.base[0]:.2f}")
            numbers += [{"image": name, **common.facts(result)} for result in (marginal, conditional)]
        panels, notes = (list(zip(*rows)) for rows in zip(*columns))
        blocks.append(Block(picture(marginal.pixels), list(loaded), panels, notes, title=name, text="\n".join(lines)))
    caption = f"{CAPTION}{common.settings(results, quality)} {stand_in}"
    common.page(out, 1, blocks, ROWS, caption, numbers)


if __name__ == "__main__":
    main()
