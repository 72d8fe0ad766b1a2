"""The paper's figure 5: what excites feature maps of an early, a middle and a late layer.

A map's picture is the mean over its units of what each pixel does to them, which is what it does to the map's mean. The
maps shown are those with the highest mean activation. Conditional sampling.
"""

from __future__ import annotations

from predicdiff.explanation import Explanation
from predicdiff.overlays import overlay, picture
from predicdiff.plotting import Block

from . import common
from .layers import RANKS, highest, layers, mean_activations

ROWS = ("early", "middle", "late")
CAPTION = (
    f"Which pixels excite ({common.POSITIVE}) or calm ({common.NEGATIVE}) a feature map: "
    "their relevance for each of its units, averaged over the map. Of each layer the four maps with the highest mean "
    "activation, which is given; each has a scale of its own. Conditional sampling. "
)


def block(case: common.Case, results: list[Explanation]) -> Block:
    """A row for each layer, a column for each of its maps."""
    panels, notes = [], []
    for result in results:
        gap = len(RANKS) - len(result)  # a layer may have fewer maps
        panels.append([overlay(relevance, result.pixels) for relevance in result.relevance] + [None] * gap)
        notes.append([f"map {target.unit[0]}: mean {value:.3g}\n{common.full_colour(relevance, result.unit)}"
                      for target, value, relevance in zip(result.targets, result.base, result.relevance)]
                     + [""] * gap)  # fmt: skip
    named = [f"{word}: {result.targets[0].blob}" for word, result in zip(ROWS, results)]
    text = "\n".join([case.title, *named])
    return Block(picture(results[0].pixels), RANKS, panels, notes, title=case.name, text=text)


@common.figure(common.WindowRequest)
def main(request: common.WindowRequest) -> None:
    """Make the maps that are not there yet, then the page."""
    cases, stand_in = common.cases(request, ("googlenet",))
    out, quality, window, seed = request.out, request.quality, request.window, request.seed
    jobs = []
    for case in cases:
        sampler = common.sampler(case, window, seed)
        for layer in layers(case.net):
            path, shown = case.path(out, 5, layer, quality), highest(mean_activations(case.net, case.image, layer))
            jobs.append(
                common.job(
                    path, case.net, case.image, sampler, quality, window=window, seed=seed, blob=layer, channels=shown
                )
            )
    results = common.work("Figure 5", jobs)
    groups = common.grouped(results, len(ROWS))
    blocks = [block(case, group) for case, group in zip(cases, groups)]
    numbers = common.facts_of(cases, groups)
    common.page(out, 5, blocks, ROWS, f"{CAPTION}{common.settings(results, quality)} {stand_in}", numbers)


if __name__ == "__main__":
    main()
