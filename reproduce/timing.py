"""How long an evaluation takes, ours and others', in turns, and what that makes for a whole image.

Windows at random places of the bundled cat, at the paper's setting (k = 10, S = 20, stride 1, conditional sampling). In
every round each way has its turn: torch as anyone would write it, our dense pass, incremental evaluation, Captum's
Occlusion where it is installed, Caffe itself where a Python has it (in a process beside this one), and a matrix product
to hold the arithmetic against. The first round warms up and is not counted. Sampling is part of all times but
Captum's. All compute in float32 as IEEE has it, whatever torch does by default. The slow ways take fewer windows than
the incremental one, since where a window lies makes no difference to them. Writes OUT/timing.json after each net;
a record worth keeping goes into reproduce/timings, from which `python -m reproduce.timing_table` makes the table of
docs/precision.md.
"""

from __future__ import annotations

import datetime
import shlex
import sys
import time
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Callable, Iterable, Sequence

import click
import numpy as np
import torch

from predicdiff.assembly import versions
from predicdiff.budget import MEMORY
from predicdiff.cli.console import say_error, say_text
from predicdiff.cli.options.base import Options, option_field, options_of
from predicdiff.effort import precision_gap
from predicdiff.errors import PredicdiffError, SettingsError
from predicdiff.nets.engine.device import check_precision, choose_device, exactly
from predicdiff.plan import make_plan
from predicdiff.presets import QUALITIES
from predicdiff.protocols import PRECISIONS
from predicdiff.settings import Settings
from predicdiff.windows import MARGIN

from . import common
from .timing_machine import machine, peak_memory, reset_peak
from .timing_nets import Timed, definition, load
from .timing_table import details, summary
from .timing_ways import ELSEWHERE, TimedWindows, Turn, caffe_there, check_agreement, evaluators, turns

NETS = ("alexnet", "googlenet", "vgg16", "squeezenet", "efficientnet_lite0")
WINDOW = 10
SAMPLES = QUALITIES["paper"].samples
#: Windows that are timed by default: as many as an analysis takes at once.
WINDOWS = {"cpu": 32, "cuda": 4096}
#: How many of them the slow ways take on a processor: of light nets whole batches of 32, of heavy ones the fewest.
FEW, FEWEST = 8, 2
#: And on a GPU.
FEW_THERE = 512
#: Multiply-adds from which a net is heavy.
HEAVY = 4e9
#: Side of the matrices that are multiplied.
SIDE = 2048
#: Operations that a profile lists.
LISTED = 10


@dataclass(frozen=True)
class Measurement:
    """What is measured; goes into the record as it is."""

    windows: int
    rounds: int
    seed: int
    window: int = WINDOW
    samples: int = SAMPLES
    stride: int = 1
    context: int = WINDOW + MARGIN
    precision: str = "float32"


def measure(
    timed: Timed, measurement: Measurement, *, caffe_python: Sequence[str] | None = None, profile: bool = False
) -> dict[str, Any]:
    """One net's record; ``caffe_python`` is the command of a Python with pycaffe, by default this one.

    Raises
    ------
    SettingsError
        If there are not so many windows.
    DependencyError
        If ``caffe_python`` is no Python with pycaffe.
    DisagreementError
        If the ways give different values; nothing is timed then.
    """
    image = common.images(())["chelsea"]
    sampler = common.sampler(common.Case(timed.name, timed.net, "chelsea", image), WINDOW, measurement.seed)
    settings = Settings(window=WINDOW, samples=SAMPLES, stride=1, seed=measurement.seed)
    analysis = make_plan(timed.net, image, settings).with_sampler(sampler)
    count = len(analysis.origins)
    if measurement.windows > count:
        raise SettingsError(
            f"--windows {measurement.windows}: {timed.name} has {count} on its image, want at most these."
        )
    chosen = np.random.default_rng(measurement.seed).choice(count, measurement.windows, replace=False)
    analysis = replace(analysis, origins=analysis.origins[chosen])
    with exactly(), caffe_there(timed, caffe_python) as caffe:
        evaluate, missing = evaluators(timed, analysis, caffe)
        worst = check_agreement(timed.name, analysis, evaluate)
        timed.net.precision = measurement.precision  # of our ways alone, once they were found to agree
        timed_windows = TimedWindows(timed, analysis, 1)
        work = multiply_adds(timed.net, timed_windows.sampled(evaluate["incremental"], 1))
        timed_windows = replace(timed_windows, few=few(measurement.windows, work["dense"], timed.net.device.type))
        taken, more = turns(timed_windows, evaluate)
        work = multiply_adds(timed.net, taken["incremental"])
        times, product = rounds(taken, measurement.rounds, timed.net.device)
        costly = costliest(taken["incremental"], timed.net.device) if profile else []
        less = measurement.precision != "float32"
        gap = dict(zip(("most", "largest"), precision_gap(analysis, analysis.batch(MEMORY)))) if less else {}
    return {
        "weights": timed.weights,
        "input": list(timed.net.input_shape),
        "evaluations": count * SAMPLES,
        "multiply_adds": work,
        "agreement": worst,
        "product": product,
        "product_multiply_adds": SIDE**3,
        "ways": times,
        "missing": {**missing, **more},
        **({} if isinstance(caffe, str) else {"pycaffe": caffe.about}),
        **({"precision_gap": gap} if less else {}),
        **({"profile": costly} if profile else {}),
    }


def few(windows: int, dense: float, kind: str) -> int:
    """How many of the windows the slow ways take, by a dense pass's multiply-adds; on a GPU more."""
    return min(windows, FEW_THERE if kind != "cpu" else FEW if dense < HEAVY else FEWEST)


def rounds(ways: dict[str, Turn], count: int, device: torch.device) -> tuple[dict[str, Any], list[float]]:
    """Each way's seconds an evaluation and most memory, and a product's seconds, in ``count`` rounds after a first."""
    matrix = torch.ones(SIDE, SIDE, device=device)
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    evaluations: dict[str, int] = {}
    peaks: dict[str, list[int]] = {way: [] for way in ways}
    product: list[float] = []
    for _ in range(count + 1):
        for way, turn in ways.items():
            reset_peak(device)
            taken, evaluations[way] = _timed(turn, device)
            seconds[way].append(taken / evaluations[way])
            peak = None if way in ELSEWHERE else peak_memory(device)
            peaks[way] += [] if peak is None else [peak]
        product.append(_timed(lambda: torch.mm(matrix, matrix), device)[0])
    measured = {
        way: {
            "seconds": seconds[way][1:],
            "evaluations": evaluations[way],
            "peak_memory": max(peaks[way], default=None),
        }
        for way in ways
    }
    return measured, product[1:]


def _timed(function: Callable[[], Any], device: torch.device) -> tuple[float, Any]:
    started = time.perf_counter()
    result = function()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started, result


def multiply_adds(net: Any, turn: Turn) -> dict[str, float]:
    """An evaluation's: those that a way does, and those of the dense pass; 0 where the net does not know."""
    before = replace(net.work)
    evaluations = turn()
    return {
        "done": (net.work.done - before.done) / evaluations,
        "dense": (net.work.dense - before.dense) / evaluations,
    }


def costliest(turn: Turn, device: torch.device) -> list[dict[str, Any]]:
    """The operations that take the most time themselves: name, part of the whole, and number of calls."""
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Warning: Profiler clears events")  # of several cycles; here is one
        with profile(activities=activities) as profiler:
            turn()
    # a GPU's kernels are listed beside the operations that launch them, whose time is theirs
    operations = [row for row in profiler.key_averages() if row.device_type == DeviceType.CPU]
    on = "cpu" if device.type == "cpu" else "device" if hasattr(operations[0], "self_device_time_total") else "cuda"
    times = sorted(((getattr(row, f"self_{on}_time_total"), row) for row in operations), key=lambda pair: -pair[0])
    total = sum(taken for taken, _ in times) or 1
    return [{"operation": row.key, "part": taken / total, "calls": row.count} for taken, row in times[:LISTED]]


def save(path: Path, record: dict[str, Any]) -> None:
    """Write a record whole, with what is derived from it beside what was measured."""
    kind = record["machine"]["kind"]
    derived = {name: summary(name, net, kind) for name, net in record["nets"].items()}
    content = {**record, "summary": derived}
    common.write_json(path, content)


def report(record: dict[str, Any], name: str) -> str:
    """What is printed of one net."""
    net = record["nets"][name]
    lines = [details(name, net, record["machine"]["kind"])]
    for row in net.get("profile", ()):
        lines.append(f"    {row['part']:6.1%} {row['calls']:7d} calls  {row['operation']}")
    return "\n".join(lines)


@dataclass(frozen=True)
class Request(Options):
    """What the command takes."""

    names: tuple[str, ...] = option_field("--net", multiple=True, help="A net's name; repeat for more. [five nets]")
    windows: int | None = option_field(
        "--windows", type=click.IntRange(min=1), help="Windows that are timed. [32, on a GPU 4096]"
    )
    rounds: int = option_field("--rounds", type=click.IntRange(min=1), default=5, help="Rounds that count.")
    seed: int = option_field("--seed", type=click.IntRange(min=0), default=0, help="Of windows, draws and weights.")
    device: str | None = option_field("--device", help="As torch names it. [a GPU if there is one]")
    precision: str = option_field(
        "--precision", type=click.Choice(PRECISIONS), default=PRECISIONS[0], help="Of our own products."
    )
    caffe_python: str | None = option_field(
        "--caffe-python", metavar="COMMAND", help="Of a Python with pycaffe. [this one, if it has pycaffe]"
    )
    profile: bool = option_field(
        "--profile", is_flag=True, help="Also list the operations that cost most in incremental evaluation."
    )
    out: Path = option_field("--out", type=click.Path(path_type=Path), default="out")


@click.command(help=__doc__)
@options_of(Request, "request")
def main(request: Request) -> None:
    """Measure, print and save."""
    path = request.out / "timing.json"
    try:
        device = choose_device(request.device)
        measurement = Measurement(
            request.windows or WINDOWS.get(device.type, WINDOWS["cuda"]),
            request.rounds,
            request.seed,
            precision=check_precision(request.precision, device),
        )
        command = request.caffe_python and shlex.split(request.caffe_python)
        names = dict.fromkeys(request.names or NETS)
        _run(names, measurement, device, path, caffe_python=command, profile=request.profile)
    except PredicdiffError as error:
        say_error(error)
        sys.exit(2)
    except KeyboardInterrupt:
        common.say(f"Interrupted: the nets that were finished are in {path}.")
        sys.exit(130)


def _run(names: Iterable[str], measurement: Measurement, device: torch.device, path: Path, **more: Any) -> None:
    for name in names:
        definition(name)  # a mistyped name is to be told now, not after the nets before it
    nets: dict[str, Any] = {}
    record = {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "machine": machine(device),
        "versions": {**versions(), "torch": str(torch.__version__)},
        "settings": asdict(measurement),
        "nets": nets,
    }
    save(path, record)
    for name in names:
        timed = load(name, seed=measurement.seed, device=str(device))
        nets[name] = measure(timed, measurement, **more)
        save(path, record)
        say_text(report(record, name))
    common.say(f"Written to {path}")


if __name__ == "__main__":
    main()
