"""The paper's figure 6: what excites the same maps of a middle layer in several images.

Of GoogLeNet the three maps of the paper's version of 2017, which does not say how they were chosen, and below them four
of ours; of other nets ours alone. Ours are those whose mean activation varies most over the images shown: bundled
photographs, or those of --image, a single one with the bundled ones beside it. Conditional sampling.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from predicdiff.explanation import Explanation
from predicdiff.overlays import overlay, picture, symmetric_scale
from predicdiff.plotting import Block
from predicdiff.samplers.corpus import bundled

from . import common
from .layers import PAPER_MAPS, RANKS, highest, layers, mean_activations

PHOTOGRAPHS = ("chelsea", "coffee", "astronaut", "motorcycle_left")
PAPERS, OURS = "the paper's maps", "maps that vary most"
CAPTION = (
    f"Which pixels excite ({common.POSITIVE}) or calm ({common.NEGATIVE}) maps of a middle layer, the same for all "
    "images. {which} those whose mean activation, given under each, varies most over these images. A map has one scale "
    "for all images. Conditional sampling. "
)
#: What the caption says of a net whose maps the paper shows too.
BESIDE = "Above maps {maps} of {layer}, which the paper's version of 2017 shows; below, of the others{and_nets},"


def choose(cases: Sequence[common.Case]) -> list[int]:
    """The paper's maps of one net's middle layer, then those with the largest variance of the mean over the images."""
    means = [mean_activations(case.net, case.image, layers(case.net)[1]) for case in cases]
    papers = list(PAPER_MAPS.get(cases[0].net.name, ()))
    variance = np.var(means, axis=0)
    variance[papers] = -1.0
    return papers + highest(variance)


def block(case: common.Case, result: Explanation, scales: Sequence[float], rows: Sequence[str]) -> Block:
    """A row of the paper's maps where the page has one, empty for nets of which it shows none, and a row of ours."""
    panels = [overlay(relevance, result.pixels, scale=scale) for relevance, scale in zip(result.relevance, scales)]
    notes = [
        f"map {target.unit[0]}: mean {value:.3g}\nfull colour: ±{scale:.2g}"
        for target, value, scale in zip(result.targets, result.base, scales)
    ]
    papers = len(PAPER_MAPS.get(case.net.name, ()))
    parts = {PAPERS: slice(0, papers), OURS: slice(papers, None)}
    across = len(RANKS)
    return Block(
        picture(result.pixels),
        [""] * across,
        [_filled(panels[parts[row]], None, across) for row in rows],
        [_filled(notes[parts[row]], "", across) for row in rows],
        title=case.name,
        text=f"{case.title}\n{result.targets[0].blob}",
    )


def _filled(items: Sequence[Any], empty: Any, count: int) -> list[Any]:
    return [*items, *[empty] * (count - len(items))]


def caption(nets: dict[str, Any]) -> str:
    """What is shown of nets, by title, and which maps are whose."""
    for title, net in nets.items():
        if net.name in PAPER_MAPS:
            *firsts, last = PAPER_MAPS[net.name]
            maps, layer, and_nets = f"{', '.join(map(str, firsts))} and {last}", layers(net)[1], ""
            if len(nets) > 1:
                layer, and_nets = f"{title}'s {layer}", ", and of other nets"
            return CAPTION.format(which=BESIDE.format(maps=maps, layer=layer, and_nets=and_nets))
    return CAPTION.format(which="They are")


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
    rows = (PAPERS, OURS) if any(net.name in PAPER_MAPS for net in loaded.values()) else (OURS,)
    blocks, numbers = [], []
    for group, of_group in zip(cases, common.grouped(results, len(pictures))):
        scales = [symmetric_scale(np.stack(maps)) for maps in zip(*(result.relevance for result in of_group))]
        blocks += [block(case, result, scales, rows) for case, result in zip(group, of_group)]
        numbers += [
            {"image": case.name, "scales": scales, **common.facts(result)} for case, result in zip(group, of_group)
        ]
    told = f"{caption(loaded)}{common.settings(results, quality)} {stand_in}"
    common.page(out, 6, blocks, rows, told, numbers, across=1)


if __name__ == "__main__":
    main()
