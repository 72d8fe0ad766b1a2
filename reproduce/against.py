"""What a map of known reliability costs, by others' methods and by ours: evaluations, multiply-adds and seconds.

Reliability is a map's correlation with the true one of its own method: infinitely many samples, windows at every place.
Captum's Occlusion is held against itself at stride 1, KernelSHAP (Captum's, over superpixels) and RISE against other
runs of their own, and ours against maps of other seeds at stride 1, 40 draws a window together, in a square in the
middle of the image (--square). The noise of what maps are held against is taken out. Captum is taken where it is
installed. Seconds are told by the time that an evaluation takes, timed in turns before all else. Parts that
lie in OUT/against are not made again, so that an interrupted run goes on; OUT/against.json has all numbers.
"""

from __future__ import annotations

import datetime
import hashlib
import time
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from typing import Any, Callable, Iterator, Sequence

import click
import numpy as np
from tqdm import tqdm

from predicdiff import windows
from predicdiff.algorithm import run
from predicdiff.assembly import versions
from predicdiff.cli.console import say_text
from predicdiff.cli.options.base import option_field
from predicdiff.errors import SettingsError
from predicdiff.methods.occlusion import occlusion
from predicdiff.plan import Analysis, Plan, make_plan
from predicdiff.settings import Settings
from predicdiff.texts import name_of

from . import common, presets
from .against_kept import Arrays, Speed, kept
from .against_table import ABSENT, GOAL, Row, reliabilities, reliability, report, slope
from .against_ways import (
    Question,
    Square,
    captum_attr,
    captum_occlusion,
    kernel_shap,
    our_map,
    rise,
    shapley,
    superpixels,
)
from .presets import WINDOW
from .timing_machine import machine
from .timing_ways import Turn

NET = "squeezenet1.1"
#: Steps of Captum's Occlusion.
STRIDES = (8, 4, 3, 2)
#: Ours, as "stride,samples".
SETTINGS = ("8,2", "4,2", "3,2", "2,2", "2,1", "1,2")
#: Seeds of the maps that ours are held against, in two halves, and how often each draws a window.
SEEDS, DRAWS = 4, 10
#: Evaluations of the parts in which runs of sampled methods are made and kept.
PART = 1250
#: Evaluations of each sampled method in a turn of timing, and the step of our windows there.
TIMED, TIMED_STRIDE = 96, 8


@dataclass(frozen=True)
class Request(common.Request):
    """What is compared."""

    square: int = option_field(
        "--square", type=click.IntRange(1), default=64, help="Side of the square in which our maps are made, in pixels."
    )
    settings: tuple[str, ...] = option_field(
        "--setting", multiple=True, help=f"Of ours, STRIDE,S; repeat for more.  [default: {' '.join(SETTINGS)}]"
    )
    doublings: int = option_field(
        "--doublings",
        type=click.IntRange(0),
        default=4,
        help=f"How often a run of a sampled method doubles its first {PART} evaluations; more go on from fewer.",
    )
    runs: int = option_field("--runs", type=click.IntRange(3), default=3, help="Of each sampled method.")


@dataclass(frozen=True, eq=False)
class Comparison:
    """One net before one image, and all that is measured of it."""

    case: common.Case
    request: Request
    plan: Plan
    square: Square
    settings: list[tuple[int, int]]
    sampler: Any

    @classmethod
    def of(cls, case: common.Case, request: Request) -> Comparison:
        """Refuses what does not fit before anything is measured."""
        plan = make_plan(case.net, case.image, Settings(window=WINDOW, samples=1, stride=1, seed=request.seed))
        shape = plan.pixels.shape[-2:]
        if request.square > min(shape):
            raise SettingsError(f"--square {request.square} does not fit into what the net sees, {windows.by(shape)}.")
        settings = [setting(text) for text in request.settings or SETTINGS]
        for stride, samples in settings:
            Settings(window=WINDOW, samples=samples, stride=stride)
            windows.grid(shape, window=WINDOW, stride=stride)
        sampler = common.sampler(case, WINDOW, request.seed)
        return cls(case, request, plan, Square.middle(shape, request.square), settings, sampler)

    def rows(self) -> list[Row]:
        """Every method at each of its settings; those of Captum where it is installed."""
        analyses = [self.analysis(stride, samples) for stride, samples in self.settings]
        speed = self._speed(sorted({analysis.settings.samples for analysis in analyses}))
        captums = [*self._occlusion(speed), *self._kernel_shap(speed)] if captum_attr() is not None else []
        return [*captums, *self._rise(speed), *self._ours(speed, analyses)]

    def analysis(self, stride: int, samples: int, more: int = 0) -> Analysis:
        """Ours at a setting, with the seed that was asked for and so many more."""
        seed = self.request.seed + more
        asked = Settings(window=WINDOW, samples=samples, stride=stride, between="linear", seed=seed)
        return make_plan(self.case.net, self.case.image, asked).with_sampler(self.sampler)

    def _keep(self, name: str, make: Callable[[], Arrays], **what: Any) -> Arrays:
        """As `kept`, of this net and this image."""
        pixels = hashlib.sha1(np.ascontiguousarray(self.plan.pixels).tobytes()).hexdigest()
        asked = {"net": self.plan.net.provenance, "blob": self.plan.blob, "unit": self.plan.units[0], "pixels": pixels}
        path = self.request.out / "against" / f"{name_of(self.case.name, self.case.net.name, name)}.h5"
        return kept(path, {**asked, **what}, make)

    def _speed(self, samples: Sequence[int]) -> Speed:
        net: Any = self.plan.net
        question = self.question
        turns: dict[str, Turn] = {"RISE": lambda: bool(rise(question, TIMED, [0]).any()) * TIMED}
        if captum_attr() is not None:
            turns["Occlusion"] = lambda: captum_occlusion(question, WINDOW)[1]
            turns["KernelSHAP"] = lambda: len(kernel_shap(question, self.features, TIMED, 0)["kept"])
        for each in samples:
            turns[f"S = {each}"] = self._ours_whole(each)
        where = {"machine": machine(net.device), "versions": versions()}
        arrays = self._keep("timing", lambda: Speed.measured(net, turns), ways=list(turns), **where)
        return Speed.of(list(turns), arrays)

    def _ours_whole(self, samples: int) -> Turn:
        analysis = self.analysis(TIMED_STRIDE, samples)
        evaluations = len(analysis.origins) * samples
        return lambda: len(run(analysis)) * evaluations

    @cached_property
    def question(self) -> Question:
        """What the others are asked."""
        return Question(self.plan)

    @cached_property
    def features(self) -> np.ndarray:
        """What KernelSHAP takes together."""
        return superpixels(self.plan)

    @property
    def _looks(self) -> list[int]:
        """After how many of its parts a run's map is looked at."""
        return [2**number for number in range(self.request.doublings + 1)]

    def _occlusion(self, speed: Speed) -> Iterator[Row]:
        true = self._keep("occlusion-true", self._true_occlusion, window=WINDOW)["map"]
        for stride in STRIDES:
            made = self._keep(f"occlusion-{stride}", self._occluded(stride), window=WINDOW)
            told = [(_correlation(cut(made["map"]), cut(true)),) for cut in (self.square.cut, np.asarray)]
            yield speed.row("Occlusion", "Captum's Occlusion", f"stride {stride}", int(made["evaluations"]), *told)

    def _true_occlusion(self) -> Arrays:
        """By our own occlusion, which gives the same at stride 1 and takes a fraction of the time."""
        case, unit = self.case, self.plan.units[0]
        with common.windows_bar(self.analysis(1, 1), "occlusion, stride 1") as progress:
            result = occlusion(
                case.net, case.image, window=WINDOW, blob=self.plan.blob, units=[unit], progress=progress
            )
        return {"map": result.relevance[0]}

    def _occluded(self, stride: int) -> Callable[[], Arrays]:
        return lambda: dict(zip(("map", "evaluations"), map(np.asarray, captum_occlusion(self.question, stride))))

    def _rise(self, speed: Speed) -> Iterator[Row]:
        parts = self._parts("rise", lambda seed: {"map": rise(self.question, PART, seed)})
        runs = [[np.mean([each["map"] for each in of[:look]], axis=0) for look in self._looks] for of in parts]
        yield from self._sampled(speed, np.array(runs), "RISE")

    def _kernel_shap(self, speed: Speed) -> Iterator[Row]:
        def part(seed: Sequence[int]) -> Arrays:
            number = int(np.random.SeedSequence(seed).generate_state(1)[0])
            return kernel_shap(self.question, self.features, PART, number)

        parts = self._parts("shap", part)
        started = time.perf_counter()
        runs = [[_solved(of[:look])[self.features] for look in self._looks] for of in parts]
        solving = (time.perf_counter() - started) / len(parts) / sum(self._looks)
        yield from self._sampled(
            speed, np.array(runs), "KernelSHAP", f", {self.features.max() + 1} superpixels", solving
        )

    def _parts(self, name: str, make: Callable[[Sequence[int]], Arrays]) -> list[list[Arrays]]:
        """Of each run its parts, each with a seed of its own."""
        seeds = [(self.request.seed, *each) for each in np.ndindex(self.request.runs, self._looks[-1])]
        made = [
            self._keep(f"{name}-{seed[1]}-{seed[2]}", partial(make, seed), seed=seed, size=PART)
            for seed in tqdm(seeds, desc=name, unit="part")
        ]
        return common.grouped(made, self._looks[-1])

    def _sampled(self, speed: Speed, runs: np.ndarray, way: str, of: str = "", more: float = 0.0) -> Iterator[Row]:
        """One row for each number of parts; ``more`` are seconds of each part apart from its evaluations."""
        for look, *told in zip(self._looks, reliabilities(self.square.cut(runs)), reliabilities(runs)):
            square, whole = (tuple(each.tolist()) for each in told)
            yield speed.row(way, way + of, "", PART * look, square, whole, more=more * look, sampled=True)

    def _ours(self, speed: Speed, analyses: Sequence[Analysis]) -> Iterator[Row]:
        reference = self.analysis(1, DRAWS)
        drawn = [self._our_values(self.analysis(1, DRAWS, 1 + number)) for number in range(SEEDS)]
        halves = [np.concatenate(drawn[start : start + SEEDS // 2], axis=1) for start in (0, SEEDS // 2)]
        others = [our_map(reference, self.square, half) for half in halves]
        for analysis in analyses:
            asked = analysis.settings
            map_ = our_map(analysis, self.square, self._our_values(analysis))
            evaluations = len(analysis.origins) * asked.samples
            told, name = (reliability(map_, others),), f"stride {asked.stride}, S = {asked.samples}"
            yield speed.row(f"S = {asked.samples}", "ours", name, evaluations, told, slope=slope(map_, others))

    def _our_values(self, analysis: Analysis) -> np.ndarray:
        """The unit's (n, S, 1) at the square's windows."""
        asked, origins = analysis.settings, self.square.origins(self.plan.pixels.shape[-2:], analysis.settings.strides)
        name = f"ours-{asked.stride}-{asked.samples}-{asked.seed}"

        def make() -> Arrays:
            return {"values": presets.evaluated(analysis, origins, asked.samples, asked.seed, name)}

        return self._keep(name, make, identity=analysis.identity, square=asdict(self.square))["values"]


def setting(text: str) -> tuple[int, int]:
    """Stride and S of "STRIDE,S"; a SettingsError if it is nothing of the kind."""
    stride, _, samples = text.partition(",")
    if not (stride.isdecimal() and samples.isdecimal()):
        raise SettingsError(f"--setting {text}: want a stride and a number of draws, such as 2,1.")
    return int(stride), int(samples)


def _solved(parts: Sequence[Arrays]) -> np.ndarray:
    return shapley(*(np.concatenate([part[name] for part in parts]) for name in ("kept", "answers", "weights")))


def _correlation(map_: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(map_.ravel(), other.ravel())[0, 1])


@common.figure(Request, "against.json")
def main(request: Request) -> None:
    """Measure what is not there yet, print the tables and save their numbers as OUT/against.json."""
    if request.engine != "torch":
        raise SettingsError(f"--engine {request.engine}: others' methods and the account of multiply-adds want torch.")
    note = "" if captum_attr() is not None else ABSENT
    cases, _note = common.cases(request if request.names else replace(request, names=(NET,)))
    comparisons = [Comparison.of(case, request) for case in cases]
    record: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "versions": versions(),
        "machine": machine(cases[0].net.device),
        "goal": GOAL,
        "square": request.square,
        "comparisons": {},
    }
    for comparison in comparisons:
        title = f"{comparison.case.title}, {comparison.case.name}"
        rows = comparison.rows()
        record["comparisons"][title] = {
            "target": comparison.plan.targets[0].title,
            "rows": [asdict(row) for row in rows],
        }
        common.write_json(request.out / "against.json", common.plain(record))
        say_text(f"**{title}**\n\n{report(rows, note=note)}\n")


if __name__ == "__main__":
    main()
