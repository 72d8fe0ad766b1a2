"""What the quality presets are worth: how well their maps correlate with maps at the paper's setting.

The paper's setting is evaluated with one seed; a second seed gives the draws of which every coarser setting takes its
part, so that no draw is on both sides. To end in reasonable time, maps are compared on squares of the image (--square,
--places); 0 takes the whole image. What is in OUT/presets.json already stays there and is in the table, if it was
measured on the same squares with the same seed, so that nets may be measured one after the other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from predicdiff import windows
from predicdiff.cli.options.base import option_field
from predicdiff.errors import FormatError, SettingsError
from predicdiff.files import written_whole
from predicdiff.plan import MEMORY, Analysis, make_plan
from predicdiff.presets import QUALITIES
from predicdiff.samplers.registry import find, names
from predicdiff.settings import Settings

from . import common
from .nets import STAND_IN

WINDOW = 10
#: Samplers that draw.
KINDS = tuple(name for name in names() if find(name).takes_corpus)
STRIDES = (2, 3, 4, 5, 6, 8, 10)
SAMPLES = (1, 2, 4, 8)
#: A map's correlations, by "stride,samples".
SETTINGS = tuple(f"{stride},{samples}" for stride in STRIDES for samples in SAMPLES)
#: A preset is the cheapest setting whose maps correlate so well with the paper's, in the median.
WORTH = {"preview": 0.95, "standard": 0.99}


def squares(shape: tuple[int, int], side: int, places: int) -> np.ndarray:
    """Mask of ``places`` squared squares, spread evenly; of the whole image where ``side`` is 0."""
    if side == 0:
        return np.ones(shape, bool)
    if side * places > min(shape):
        raise SettingsError(
            f"--places {places} squares of --square {side} pixels do not fit beside each other: want at most "
            f"{min(shape)} pixels together, the size of what the net sees."
        )
    mask = np.zeros(shape, bool)
    for row in range(places):
        for column in range(places):
            top, left = (int((i + 0.5) / places * n - side / 2) for i, n in zip((row, column), shape))
            mask[top : top + side, left : left + side] = True
    return mask


def touching(origins: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Which windows cover a pixel of the mask."""
    inside = np.pad(mask.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    rows, columns = origins.T
    far = inside[rows + WINDOW, columns + WINDOW] - inside[rows, columns + WINDOW]
    return far - inside[rows + WINDOW, columns] + inside[rows, columns] > 0


def values(analysis: Analysis, origins: np.ndarray, samples: int, seed: int, title: str) -> np.ndarray:
    """The unit's values (n, S, 1) for windows at ``origins``."""
    batch = analysis.batch(MEMORY)
    tiles = []
    for tile in tqdm(windows.tiles(len(origins), 16), desc=title, unit="tile"):
        patches = analysis.sampler.draw(analysis.pixels, origins[tile], window=WINDOW, samples=samples, seed=seed)
        tiles.append(
            analysis.net.evaluate(
                analysis.pixels, origins[tile], patches, blob=analysis.blob, units=analysis.units, batch_size=batch
            )
        )
    return np.concatenate(tiles)


def correlations(analysis: Analysis, mask: np.ndarray, seed: int, title: str) -> dict[str, float]:
    """Pearson correlation with the paper's map inside the mask, by "stride,samples"."""
    shape = analysis.pixels.shape[-2:]
    _check_resolved(mask)
    origins = analysis.origins[touching(analysis.origins, mask)]
    paper = analysis.difference(values(analysis, origins, QUALITIES["paper"].samples, seed, f"{title}, paper")).value
    grids = {
        stride: {tuple(origin) for origin in windows.grid(shape, window=WINDOW, stride=stride).tolist()}
        for stride in STRIDES
    }
    coarse = np.array([origin for origin in origins.tolist() if any(tuple(origin) in grid for grid in grids.values())])
    other = values(analysis, coarse, max(SAMPLES), seed + 1, f"{title}, presets")
    reference = windows.spread(paper, origins, window=WINDOW, shape=shape)[0]
    table = {}
    for stride, grid in grids.items():
        chosen = np.array([tuple(origin) in grid for origin in coarse.tolist()])
        for samples in SAMPLES:
            difference = analysis.difference(other[chosen][:, :samples]).value
            relevance = windows.spread(difference, coarse[chosen], window=WINDOW, shape=shape)[0]
            table[f"{stride},{samples}"] = float(np.corrcoef(reference[mask], relevance[mask])[0, 1])
    return table


def _check_resolved(mask: np.ndarray) -> None:
    """Refuse squares in which a coarse map has one value everywhere, so that it correlates with nothing."""
    for stride in STRIDES:
        origins = windows.grid(mask.shape, window=WINDOW, stride=stride)
        any_map = windows.spread(
            np.random.default_rng(0).random(len(origins)), origins, window=WINDOW, shape=mask.shape
        )
        if np.ptp(any_map[mask]) == 0:
            raise SettingsError(
                f"the squares lie in one and the same windows at stride {stride}: want larger ones (--square), or more "
                "of them (--places)."
            )


def report(maps: dict[str, dict[str, float]]) -> str:
    """Median over the maps as a Markdown table, cheapest first; evaluations are those of a whole map of 224 x 224."""
    lines = ["| stride | S | evaluations | median correlation | lowest |", "|---|---|---|---|---|"]
    names = {(quality.stride, quality.samples): name for name, quality in QUALITIES.items()}
    for key in sorted(next(iter(maps.values())), key=cost):
        stride, samples = map(int, key.split(","))
        column = [table[key] for table in maps.values()]
        name = f" **{names[stride, samples]}**" if (stride, samples) in names else ""
        lines.append(f"| {stride} | {samples}{name} | {cost(key):,} | {np.median(column):.3f} | {min(column):.3f} |")
    return "\n".join([*lines, "", *(f"{name}: {cheapest(maps, worth)}" for name, worth in WORTH.items())])


def cost(key: str) -> int:
    """Evaluations of a whole map of 224 x 224 at "stride,samples"."""
    stride, samples = map(int, key.split(","))
    return len(windows.positions(224, WINDOW, stride)) ** 2 * samples


def cheapest(maps: dict[str, dict[str, float]], worth: float) -> str:
    """The setting with the fewest evaluations whose median correlation is at least ``worth``, as text.

    Of those that have a standard error, which takes two draws.
    """
    several = [key for key in next(iter(maps.values())) if not key.endswith(",1")]
    keys = [key for key in several if np.median([table[key] for table in maps.values()]) >= worth]
    if not keys:
        return f"none of these settings reaches a median correlation of {worth}"
    stride, samples = min(keys, key=cost).split(",")
    return f"stride {stride}, S = {samples} is the cheapest with a median correlation of at least {worth}"


def earlier(path: Path, where: dict[str, int]) -> dict[str, dict[str, float]]:
    """Maps that an earlier call measured on the same squares with the same seed; a FormatError if the file is damaged.

    Parameters
    ----------
    path : Path
    where : {"square", "places", "seed"}
    """
    if not path.exists():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        maps = {label: {key: float(table[key]) for key in SETTINGS} for label, table in record["maps"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(
            f"{path}: cannot be read as a record of `make presets` ({type(error).__name__}: {error}). "
            "Delete it to measure its maps anew."
        ) from error
    return maps if all(record.get(key) == value for key, value in where.items()) else {}


@dataclass(frozen=True)
class Request(common.Request):
    """What is measured."""

    square: int = option_field(
        "--square", type=click.IntRange(0), default=16, help="Side of the squares in pixels; 0: the whole image."
    )
    places: int = option_field("--places", type=click.IntRange(1), default=2, help="Squares along each side.")
    kinds: tuple[str, ...] = option_field(
        "--sampler",
        type=click.Choice(KINDS),
        multiple=True,
        help=f"What draws; repeat for others too.  [default: {KINDS[0]}]",
    )


@common.figure(Request)
def main(request: Request) -> None:
    """Measure, print the table and save it as out/presets.json."""
    seed, path = request.seed, request.out / "presets.json"
    where = {"square": request.square, "places": request.places, "seed": seed}
    request.out.mkdir(parents=True, exist_ok=True)
    maps = earlier(path, where)
    settings = Settings(window=WINDOW, samples=QUALITIES["paper"].samples, stride=1)
    cases, _note = common.cases(request if request.names else replace(request, names=(STAND_IN,)))
    for case in cases:
        for kind in request.kinds or KINDS[:1]:
            label = f"{case.title}, {case.name}, {kind}"
            if label not in maps:
                sampler = common.sampler(case, WINDOW, seed, kind)
                analysis = make_plan(case.net, case.image, settings).with_sampler(sampler)
                mask = squares(analysis.pixels.shape[-2:], request.square, request.places)
                maps[label] = correlations(analysis, mask, seed, label)
                with written_whole(path) as part:
                    part.write_text(json.dumps({**where, "maps": maps}, indent=1))
    print(report(maps))


if __name__ == "__main__":
    main()
