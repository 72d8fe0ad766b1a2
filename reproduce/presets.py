"""What the quality presets and goals are worth: how reliable their maps are, and how well they know it.

A map's reliability is its correlation with the true map, that of stride 1 and infinitely many draws. Here that is a map
of stride 1 and many draws (--samples) of another seed, whose own unreliability, found by its halves, is taken out. Maps
are of a square in the middle of what the net sees (--square), taken as a picture of its own; 0 takes all of it. All
windows of the square are evaluated once and kept in OUT/presets: of these each setting takes its part, so that a second
call, or one with more nets and images, evaluates only what is missing. Writes OUT/presets.json and prints two tables,
of what earlier calls with the same --square, --samples and --seed have measured too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Callable, Iterable

import click
import numpy as np
from tqdm import tqdm

from predicdiff import precision, windows
from predicdiff.between import Grid
from predicdiff.budget import MEMORY
from predicdiff.cli.console import say_text
from predicdiff.cli.options.base import option_field
from predicdiff.errors import FormatError, SettingsError
from predicdiff.evidence import Difference
from predicdiff.files import Kind, read, write
from predicdiff.ours import as_record
from predicdiff.plan import Analysis, make_plan
from predicdiff.presets import QUALITIES
from predicdiff.refinement import Level, levels
from predicdiff.samplers.registry import find, names
from predicdiff.settings import Settings
from predicdiff.texts import name_of
from predicdiff.validation import DICT, Want, check
from predicdiff.written import written_whole

from . import common
from .nets import STAND_IN

KIND = Kind("record of windows", 1, "python -m reproduce.presets", FormatError)
WINDOW = 10
#: Samplers that draw.
KINDS = tuple(name for name in names() if find(name).takes_corpus)
#: Draws of each window that settings may take.
DRAWS = 4
SETTINGS = tuple(Level((stride, stride), samples) for stride, samples in product((8, 6, 4, 3, 2, 1), (1, 2, 4)))
GOALS = (0.95, 0.98, 0.99)


@dataclass(frozen=True, eq=False)
class Square:
    """All windows of a square, evaluated.

    Attributes
    ----------
    analysis : Analysis
        Of the whole picture.
    shape : (height, width) of the square
    maps, reference : (n, S, units) float64 arrays
        Values of the draws that maps are made of, and of those for the reference, window by window in the grid's order.
    """

    analysis: Analysis
    shape: tuple[int, int]
    maps: np.ndarray
    reference: np.ndarray

    def difference(self, values: np.ndarray, level: Level) -> tuple[Difference, np.ndarray]:
        """Differences of the windows of a level's grid, for its first draws, and their origins in the square."""
        origins = windows.grid(self.shape, window=WINDOW, stride=level.strides, gaps=True)
        rows, columns = origins.T
        chosen = rows * (self.shape[1] - WINDOW + 1) + columns
        return self.analysis.difference(values[None, chosen, : level.samples]), origins

    def interpolated(self, values: np.ndarray, level: Level) -> precision.Maps:
        """The map of a level, interpolated between its windows."""
        difference, origins = self.difference(values, level)
        return precision.interpolated(Grid.of(difference, origins, window=(WINDOW, WINDOW), shape=self.shape))

    def averaged(self, values: np.ndarray, level: Level) -> np.ndarray:
        """The map (H, W) of a level, averaged over the windows that there are."""
        difference, origins = self.difference(values, level)
        return windows.spread(difference.value, origins, window=WINDOW, shape=self.shape)[0]

    def truth(self) -> tuple[np.ndarray, float]:
        """The reference's map (H, W), and its own reliability, which its two halves tell."""
        count = self.reference.shape[1]
        half = Level((1, 1), count // 2)
        one, other = (self.averaged(self.reference[:, start::2], half) for start in (0, 1))
        alike = np.corrcoef(one.ravel(), other.ravel())[0, 1]
        return self.averaged(self.reference, Level((1, 1), count)), 2 * alike / (1 + alike)


def measured(square: Square) -> dict[str, Any]:
    """JSON-able: what each setting's map is worth, and how far a run to each goal would come.

    ``reliability`` and the ``slope`` of the map's regression on the true one, with evidence interpolated between
    windows; ``averaged`` is the reliability without.
    """
    true, known = square.truth()

    def reliability(one: np.ndarray) -> float:
        return float(np.corrcoef(one.ravel(), true.ravel())[0, 1] / np.sqrt(known))

    settings = {}
    for level in SETTINGS:
        one = square.interpolated(square.maps, level).relevance[0]
        settings[told(level)] = {
            "reliability": reliability(one),
            "slope": float(np.polyfit(true.ravel(), one.ravel(), 1)[0]),
            "averaged": reliability(square.averaged(square.maps, level)),
        }
    goals = {}
    for goal in GOALS:
        level, estimate = reached(square, goal)
        one = square.interpolated(square.maps, level).relevance[0]
        goals[str(goal)] = {"level": told(level), "estimate": estimate, "reliability": reliability(one)}
    return {"own reliability": float(known), "settings": settings, "goals": goals}


def reached(square: Square, goal: float) -> tuple[Level, float]:
    """The first level whose estimated reliability is at least ``goal``, or the last, and the estimate."""
    found = levels(square.shape, replace(square.analysis.settings, samples=DRAWS))
    for level in found:
        estimate = float(square.interpolated(square.maps, level).reliability[0])  # type: ignore[index]
        if estimate >= goal:
            break
    return level, estimate


def told(level: Level) -> str:
    """A level as a key: "4 x 2, 2"."""
    return f"{windows.told(level.strides)}, {level.samples}"


def cost(key: str) -> float:
    """Evaluations a pixel, of a large picture, of a setting's key."""
    strides, samples = key.split(", ")
    steps = [int(step) for step in strides.split(" x ")]
    return int(samples) / (steps[0] * steps[-1])


def report(maps: dict[str, Any]) -> str:
    """Median and lowest over the maps as two Markdown tables."""
    presets = {told(Level((quality.stride,) * 2, quality.samples)): name for name, quality in QUALITIES.items()}
    lines = [
        "| stride | S | evaluations a pixel | reliability | lowest | slope | averaged only | lowest |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for key in sorted((told(level) for level in SETTINGS), key=cost):
        numbers = {name: [one["settings"][key][name] for one in maps.values()] for name in ("reliability", "averaged")}
        slopes = [one["settings"][key]["slope"] for one in maps.values()]
        stride, samples = key.split(", ")
        name = f" **{presets[key]}**" if key in presets else ""
        columns = [cell for column in numbers.values() for cell in (_median(column), f"{min(column):.3f}")]
        columns.insert(2, f"{min(slopes):.2f} to {max(slopes):.2f}")
        lines.append(f"| {stride} | {samples}{name} | {cost(key):.3g} | {' | '.join(columns)} |")
    lines += [
        "",
        "| goal | evaluations a pixel | from, to | reliability | lowest | estimated too high by at most | too low |",
        "|---|---|---|---|---|---|---|",
    ]
    for goal in GOALS:
        ends = [one["goals"][str(goal)] for one in maps.values()]
        costs, true = [cost(end["level"]) for end in ends], [end["reliability"] for end in ends]
        off = [end["estimate"] - end["reliability"] for end in ends]
        lines.append(
            f"| {goal} | {np.median(costs):.3g} | {min(costs):.3g}, {max(costs):.3g} | {_median(true)} "
            f"| {min(true):.3f} | {max(0.0, *off):.3f} | {max(0.0, *(-gap for gap in off)):.3f} |"
        )
    return "\n".join(lines)


def _median(numbers: Iterable[float]) -> str:
    return f"{np.median(list(numbers)):.3f}"


def evaluated(analysis: Analysis, origins: np.ndarray, samples: int, seed: int, title: str) -> np.ndarray:
    """The unit's values (n, S, 1) for windows at ``origins``."""
    batch = analysis.batch(MEMORY)
    settings = replace(analysis.settings, samples=samples, seed=seed)
    part = replace(analysis, origins=origins, settings=settings)
    tiles = tqdm(part.tiles(analysis.tile(MEMORY)), desc=title, unit="tile")
    return np.concatenate([part.values(tile, part.sample(tile), batch)[0] for tile in tiles])


def square_of(analysis: Analysis, side: int, make: Callable[[str, np.ndarray], np.ndarray]) -> Square:
    """The square in the middle; ``make`` gives the values of its windows for "maps" and for "reference"."""
    height, width = analysis.pixels.shape[-2:]
    shape = (side, side) if side else (height, width)
    if min(shape) < 3 * WINDOW or side > min(height, width):
        raise SettingsError(f"--square {side}: want {3 * WINDOW} to {min(height, width)} pixels, or 0 for the picture.")
    corner = ((height - shape[0]) // 2, (width - shape[1]) // 2)
    origins = windows.grid(shape, window=WINDOW) + corner
    return Square(analysis, shape, make("maps", origins), make("reference", origins))


@dataclass(frozen=True)
class Request(common.Request):
    """What is measured."""

    square: int = option_field(
        "--square", type=click.IntRange(0), default=64, help="Side of the square in pixels; 0: all that the net sees."
    )
    samples: int = option_field("--samples", type=click.IntRange(4), default=40, help="Draws of the reference.")
    kinds: tuple[str, ...] = option_field(
        "--sampler",
        type=click.Choice(KINDS),
        multiple=True,
        help=f"What draws; repeat for others too.  [default: {KINDS[0]}]",
    )


def _held(parts: dict[str, Any]) -> dict[str, Any]:
    check(parts, {"identity": DICT, "values": Want("an array", lambda value: isinstance(value, np.ndarray))})
    return parts


def kept(path: Path, identity: dict[str, Any], make: Callable[[], np.ndarray]) -> np.ndarray:
    """The values that a file holds, if they are of this identity; else they are made and kept there."""
    if path.exists():
        held = read(path, KIND, _held)
        if held["identity"] == identity:
            return np.asarray(held["values"])
    values = make()
    write(path, KIND, {"values": values}, {"identity": identity})
    return values


def measure(request: Request, analysis: Analysis, label: str) -> dict[str, Any]:
    """One picture's record, evaluated as far as it is not kept from an earlier call."""
    draws = {"maps": (DRAWS, request.seed), "reference": (request.samples, request.seed + 1)}

    def make(what: str, origins: np.ndarray) -> np.ndarray:
        samples, seed = draws[what]
        path = request.out / "presets" / f"{name_of(*label.split(', '), what)}.h5"
        identity = {**analysis.identity, "square": request.square, "draws": samples, "seed": seed}
        return kept(path, identity, lambda: evaluated(analysis, origins, samples, seed, f"{label}, {what}"))

    return measured(square_of(analysis, request.square, make))


def earlier(path: Path, where: dict[str, int]) -> dict[str, Any]:
    """What calls for other nets and images have measured in the same way; a FormatError if the file is damaged."""
    try:
        record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        maps: dict[str, Any] = record["maps"] if all(record.get(key) == value for key, value in where.items()) else {}
        report(maps) if maps else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(
            f"{path}: cannot be read as a record of `make presets`. Delete it to start afresh."
        ) from error
    return maps


@common.figure(Request, "presets.json")
def main(request: Request) -> None:
    """Measure, print the tables and save what they were made of as OUT/presets.json."""
    path = request.out / "presets.json"
    request.out.mkdir(parents=True, exist_ok=True)
    settings = Settings(window=WINDOW, samples=DRAWS, stride=1)
    cases, _note = common.cases(request if request.names else replace(request, names=(STAND_IN,)))
    where = {"square": request.square, "samples": request.samples, "seed": request.seed}
    maps = earlier(path, where)
    for case in cases:
        for kind in request.kinds or KINDS[:1]:
            label = f"{case.title}, {case.name}, {kind}"
            sampler = common.sampler(case, WINDOW, request.seed, kind)
            maps[label] = measure(request, make_plan(case.net, case.image, settings).with_sampler(sampler), label)
    with written_whole(path) as part:
        part.write_bytes(as_record({**where, "maps": maps}))
    say_text(report(maps))


if __name__ == "__main__":
    main()
