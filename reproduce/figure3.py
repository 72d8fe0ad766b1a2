"""The paper's figure 3: the 5 % of pixels with the largest magnitudes, by the gradient and by prediction difference.

Both explain the pre-softmax score of the predicted class. With k = 1 every pixel is a window of its own, 50,176 for an
image of 224 x 224: "preview" takes one sample of each instead of leaving windows out; "smoke" takes k = 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from predicdiff.cli.options.base import option_field
from predicdiff.explanation import Explanation
from predicdiff.methods.sensitivity import sensitivity
from predicdiff.overlays import heat, picture, saliency, top_mask
from predicdiff.plotting import Block

from . import common

PART = 0.05
ROWS = ("map", "top 5 %", "cut out of the image")
COLUMNS = ("sensitivity map", "prediction difference")
CAPTION = (
    "The 5 % of pixels with the largest magnitudes: of the gradient (largest over the colours), and of the prediction "
    "difference with conditional sampling, both of the pre-softmax score. "
)


def block(case: common.Case, result: Explanation) -> tuple[Block, dict[str, Any]]:
    """Two columns, and the numbers of their masks."""
    target, relevance = result.targets[0], result.relevance[0]
    gradient = sensitivity(case.net, result.pixels, blob=target.blob, unit=target.unit[0])
    masks = [top_mask(each, part=PART) for each in (gradient, relevance)]
    image = picture(result.pixels)
    panels = [
        [saliency(gradient), heat(relevance)],
        [saliency(mask, scale=1.0) for mask in masks],
        [np.where(mask[..., None], image, np.uint8(255)) for mask in masks],
    ]
    common_part = float((masks[0] & masks[1]).sum() / masks[0].sum())
    text = (
        f"{case.title}: {target.name}\n{target.blob} = {result.base[0]:.2f}\nthe masks share {100 * common_part:.0f} %"
    )
    numbers = {
        "image": case.name,
        **common.facts(result),
        "pixels_in_mask": int(masks[0].sum()),
        "part_in_both_masks": common_part,
        "sensitivity_threshold": float(gradient[masks[0]].min()),
        "relevance_threshold": float(np.abs(relevance[masks[1]]).min()),
    }
    return Block(image, COLUMNS, panels, title=case.name, text=text), numbers


@dataclass(frozen=True)
class Request(common.Request):
    """What the figure takes."""

    window: int | None = option_field("--window", type=int, help="Side k of the windows. [1; 5 for smoke]")


@common.figure(Request)
def main(request: Request) -> None:
    """Make the maps that are not there yet, then the page."""
    cases, stand_in = common.cases(request, ("alexnet",))
    quality, seed = request.quality, request.seed
    k = (5 if quality == "smoke" else 1) if request.window is None else request.window
    jobs = []
    for case in cases:
        path, sampler = case.path(request.out, 3, f"k{k}", quality), common.sampler(case, k, seed)
        blob = case.net.scores
        jobs.append(common.job(path, case.net, case.image, sampler, quality, window=k, seed=seed, blob=blob, top=1))
    results = common.work("Figure 3", jobs)
    blocks, numbers = zip(*(block(case, result) for case, result in zip(cases, results)))
    caption = f"{CAPTION}{common.settings(results, quality)} {stand_in}"
    common.page(request.out, 3, list(blocks), ROWS, caption, numbers)


if __name__ == "__main__":
    main()
