"""The paper's figure 4: what speaks for each of the three top classes, before the softmax and behind it.

Conditional sampling. The scores before the softmax (the penultimate layer) are explained by their fall, the
probabilities by their weight of evidence.
"""

from __future__ import annotations

from typing import Any

from predicdiff.explanation import Explanation
from predicdiff.overlays import overlay, picture
from predicdiff.plotting import Block

from . import common

CLASSES = 3
ROWS = ("penultimate layer", "output layer")
CAPTION = (
    "Support for the three classes with the highest scores: above in the penultimate (pre-softmax) layer, by "
    "activation difference, below in the output layer, by weight of evidence. "
    f"{common.POSITIVE.capitalize()} for, {common.NEGATIVE} against; each map has a scale of its own. "
    "Conditional sampling. "
)


def block(case: common.Case, scores: Explanation, probabilities: Explanation) -> Block:
    """A column for each class, with its units' values."""
    names = [target.name for target in probabilities.targets]
    panels = [[overlay(relevance, result.pixels) for relevance in result.relevance]
              for result in (scores, probabilities)]  # fmt: skip
    notes = [[f"{word} {value:.3f}\n{common.full_colour(relevance, result.unit)}"
              for value, relevance in zip(result.base, result.relevance)]
             for word, result in (("score", scores), ("p =", probabilities))]  # fmt: skip
    return Block(picture(scores.pixels), names, panels, notes, title=case.name, text=case.title)


@common.figure(common.WindowRequest)
def main(request: common.WindowRequest) -> None:
    """Make the maps that are not there yet, then the page."""
    cases, stand_in = common.cases(request, ("alexnet",))
    out, quality, window, seed = request.out, request.quality, request.window, request.seed
    jobs = []
    for case in cases:
        net, sampler = case.net, common.sampler(case, window, seed)
        how: dict[str, Any] = {"window": window, "seed": seed}
        below = common.job(case.path(out, 4, "output", quality), net, case.image, sampler, quality, top=CLASSES, **how)
        how.update(blob=net.scores, units=[target.unit for target in below.analysis.targets])
        jobs += [common.job(case.path(out, 4, "penultimate", quality), net, case.image, sampler, quality, **how), below]
    results = common.work("Figure 4", jobs)
    pairs = common.grouped(results, 2)
    blocks = [block(case, *pair) for case, pair in zip(cases, pairs)]
    numbers = common.facts_of(cases, pairs)
    common.page(out, 4, blocks, ROWS, f"{CAPTION}{common.settings(results, quality)} {stand_in}", numbers)


if __name__ == "__main__":
    main()
