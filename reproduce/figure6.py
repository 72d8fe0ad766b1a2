"""The paper's figure 6: what excites the same four maps of a middle layer in several images.

The paper does not say how its maps were chosen. Ours are those whose mean activation varies most over the images shown:
bundled photographs, or those of --image, a single one with the bundled ones beside it. Conditional sampling.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np

from predicdiff.explanation import Explanation
from predicdiff.overlays import overlay, picture, symmetric_scale
from predicdiff.plotting import Block
from predicdiff.samplers.corpus import bundled

from . import common
from .layers import highest, layers, mean_activations

PHOTOGRAPHS = ("chelsea", "coffee", "astronaut", "motorcycle_left")
ROWS = ("over the image",)
CAPTION = (
    f"Which pixels excite ({common.POSITIVE}) or calm ({common.NEGATIVE}) four maps of a middle layer, "
    "the same for all images: those whose mean activation, given under each, varies most over these images. A map has "
    "one scale for all images. Conditional sampling. "
)


def choose(cases: Sequence[common.Case]) -> list[int]:
    """The maps of one net's middle layer whose mean activation has the largest variance over the images."""
    means = [mean_activations(case.net, case.image, layers(case.net)[1]) for case in cases]
    return highest(np.var(means, axis=0))


def block(case: common.Case, result: Explanation, scales: Sequence[float]) -> Block:
    """A column for each map."""
    heads = [target.name for target in result.targets]
    panels = [[overlay(relevance, result.pixels, scale=scale) for relevance, scale in zip(result.relevance, scales)]]
    notes = [[f"mean {value:.3g}\nfull colour: ±{scale:.2g}" for value, scale in zip(result.base, scales)]]
    return Block(picture(result.pixels), heads, panels, notes, title=case.name, text=case.title)


@common.figure(common.WindowRequest)
def main(request: common.WindowRequest) -> None:
    """Make the maps that are not there yet, then the page."""
    out, quality, window, seed = request.out, request.quality, request.window, request.seed
    pictures = common.images(request.images)
    if len(pictures) < 2:
        pictures.update(
            {name: image for name, image in bundled().items() if name in PHOTOGRAPHS and name not in pictures}
        )
    loaded, stand_in = common.nets(request, ("googlenet",))
    cases = [[common.Case(*net, *image) for image in pictures.items()] for net in loaded.items()]
    jobs = []
    for group in cases:
        shown = choose(group)
        for case in group:
            layer = layers(case.net)[1]
            path, sampler = case.path(out, 6, layer, quality), common.sampler(case, window, seed)
            jobs.append(
                common.job(
                    path, case.net, case.image, sampler, quality, window=window, seed=seed, blob=layer, channels=shown
                )
            )
    results = common.work("Figure 6", jobs)
    blocks, numbers = [], []
    for group, of_group in zip(cases, common.grouped(results, len(pictures))):
        scales = [symmetric_scale(np.stack(maps)) for maps in zip(*(result.relevance for result in of_group))]
        blocks += [block(case, result, scales) for case, result in zip(group, of_group)]
        numbers += [
            {"image": case.name, "scales": scales, **common.facts(result)} for case, result in zip(group, of_group)
        ]
    caption = f"{CAPTION}{common.settings(results, quality)} {stand_in}"
    common.page(out, 6, blocks, ROWS, caption, numbers, across=1)


if __name__ == "__main__":
    main()
