"""The paper's figure 2: the predicted class's evidence by patches of k = 1, 5, 10, 15 and 20, conditional sampling.

The paper shows an elephant; the bundled cat stands in for it, and --image takes one's own. For k = 1 every pixel is a
window of its own whatever the quality: "preview" takes fewer samples there, and "smoke" leaves k = 1 out.
"""

from __future__ import annotations

from dataclasses import dataclass

from predicdiff.cli.options.base import option_field
from predicdiff.explanation import Explanation
from predicdiff.overlays import heat, overlay, picture
from predicdiff.plotting import Block

from . import common

WINDOWS = (1, 5, 10, 15, 20)
ROWS = ("relevance", "over the image")
CAPTION = (
    f"Evidence for ({common.POSITIVE}) and against ({common.NEGATIVE}) the predicted class, "
    "with windows of k x k pixels drawn from a Gaussian given what surrounds them, l = k + 4. Each map has a scale of "
    "its own. "
)


def block(case: common.Case, results: list[Explanation]) -> Block:
    """A column for each size."""
    first = results[0]
    heads, notes = [], []
    for result in results:
        asked = result.settings
        heads.append(f"k = {asked['window']}")
        notes.append(f"S = {asked['samples']}, stride {asked['stride']}\n"
                     f"{common.full_colour(result.relevance[0], result.unit)}")  # fmt: skip
    panels = [[heat(result.relevance[0]) for result in results],
              [overlay(result.relevance[0], result.pixels) for result in results]]  # fmt: skip
    text = f"{case.title}: {first.targets[0].name}, p = {first.base[0]:.2f}"
    return Block(picture(first.pixels), heads, panels, [[""] * len(heads), notes], title=case.name, text=text)


@dataclass(frozen=True)
class Request(common.Request):
    """What the figure takes."""

    sizes: tuple[int, ...] = option_field(
        "--window", type=int, multiple=True, help="Side k; repeat for more. [1, 5, 10, 15, 20]"
    )


@common.figure(Request)
def main(request: Request) -> None:
    """Make the maps that are not there yet, then the page."""
    cases, stand_in = common.cases(request, ("alexnet",))
    sizes, quality, seed = request.sizes, request.quality, request.seed
    note = "" if request.images else " The bundled cat stands in for the paper's elephant."
    if not sizes:
        sizes = WINDOWS[1:] if quality == "smoke" else WINDOWS
        note += " k = 1 is left out at this quality." if quality == "smoke" else ""
    jobs = []
    for case in cases:
        for k in sizes:
            path, sampler = case.path(request.out, 2, f"k{k}", quality), common.sampler(case, k, seed)
            jobs.append(common.job(path, case.net, case.image, sampler, quality, window=k, seed=seed))
    results = common.work("Figure 2", jobs)
    groups = common.grouped(results, len(sizes))
    blocks = [block(case, group) for case, group in zip(cases, groups)]
    numbers = common.facts_of(cases, groups)
    caption = f"{CAPTION}{common.settings(results, quality)}{note} {stand_in}"
    common.page(request.out, 2, blocks, ROWS, caption, numbers)


if __name__ == "__main__":
    main()
