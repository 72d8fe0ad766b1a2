"""The table of times in docs/precision.md, from the records that are committed: python -m reproduce.timing_table

Each argument is a record that `make timing` wrote; without any, those in reproduce/timings. What is derived from
measured seconds is derived here: medians and spread, times as fast, and what a whole image takes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any, Mapping, Sequence

import click

from predicdiff.cli.console import say_error, say_text, short_duration
from predicdiff.errors import FormatError, PredicdiffError

from .common import TITLES

RECORDS = Path(__file__).parent / "timings"

WAYS = {
    "naive": "torch as anyone would write it",
    "dense": "ours, dense",
    "incremental": "ours, incremental",
    "captum": "Captum's Occlusion",
    "pycaffe": "pycaffe",
    "sampling": "of ours, sampling alone",
}
#: Ways that the incremental one is held against, as a sentence has them.
AGAINST = {"naive": "plain torch", "dense": "our dense", "captum": "Captum", "pycaffe": "pycaffe"}
#: How many times as fast as each way the incremental one is to be, by kind of device; on the CPU, with two cores.
TARGETS: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "cpu": {
        "naive": {"alexnet": 6, "googlenet": 3.5, "vgg16": 6, "efficientnet_lite0": 3.5},
        "dense": {"alexnet": 4, "googlenet": 2, "vgg16": 6, "squeezenet": 4, "efficientnet_lite0": 1.4},
        "pycaffe": {"alexnet": 8, "googlenet": 4, "vgg16": 8},
    },
    "cuda": {"dense": {"alexnet": 3, "googlenet": 1.5, "vgg16": 5}},
}
#: Seconds that a whole image is to take at the paper's setting on an H100 with TF32.
SECONDS: Mapping[str, Mapping[str, float]] = {"cuda": {"alexnet": 10, "googlenet": 30, "vgg16": 90}}
NAMES = {**TITLES, "squeezenet": "SqueezeNet", "resnet18": "ResNet18", "inception_v3": "Inception3"}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {"median": median(values), "min": min(values), "max": max(values)}


def summary(name: str, net: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """What is derived from one net's record: of each way times and rates, and the incremental one against the others.

    Parameters
    ----------
    name : str
    net : mapping
        ``ways`` (seconds an evaluation, round by round), ``product`` (seconds of a product that takes
        ``product_multiply_adds``), ``multiply_adds`` (``done`` and ``dense``, an evaluation's) and ``evaluations``
        of a whole image.
    kind : {"cpu", "cuda"}
        Of device: it has its own targets.
    """
    product = 2 * net["product_multiply_adds"] / median(net["product"])
    mine = net["ways"]["incremental"]["seconds"]
    ways, faster = {}, {}
    for way, timed in net["ways"].items():
        seconds = spread(timed["seconds"])
        ways[way] = {
            "ms": {key: 1000 * value for key, value in seconds.items()},
            "per_second": 1 / seconds["median"],
            "image_seconds": seconds["median"] * net["evaluations"],
        }
        if way != "sampling":
            work = net["multiply_adds"]["done" if way == "incremental" else "dense"]
            rate = 2 * work / seconds["median"]
            ways[way].update(rate=rate, of_product=rate / product)
        if way in AGAINST:
            faster[way] = spread([theirs / ours for theirs, ours in zip(timed["seconds"], mine)])
            faster[way].update(target(faster[way]["median"], TARGETS.get(kind, {}).get(way, {}).get(name)))
    done, dense = net["multiply_adds"]["done"], net["multiply_adds"]["dense"]
    wanted = SECONDS.get(kind, {}).get(name)
    image = {"seconds": ways["incremental"]["image_seconds"]}
    if wanted is not None:
        image.update(target=wanted, reached=image["seconds"] <= wanted)
    return {
        "ways": ways,
        "times_as_fast": faster,
        "image": image,
        "multiply_adds_left": done / dense if dense else None,
        "product_rate": product,
    }


def target(value: float, wanted: float | None) -> dict[str, Any]:
    """What was to be reached, and whether it was; nothing where nothing was asked."""
    return {} if wanted is None else {"target": wanted, "reached": value >= wanted}


def details(name: str, net: Mapping[str, Any], kind: str) -> str:
    """All that is known of one net, for the terminal."""
    derived = summary(name, net, kind)
    lines = [f"{NAMES.get(name, name)} ({net['weights']} weights); {net['evaluations']:,} evaluations an image"]
    for way, title in WAYS.items():
        lines.append(f"  {title:31}{_line(derived, net, way)}")
    for way, ratio in derived["times_as_fast"].items():
        spread_ = f"{ratio['min']:.2f} to {ratio['max']:.2f}"
        lines.append(
            f"  incremental against {AGAINST[way]}: {ratio['median']:.2f} times as fast ({spread_}){_asked(ratio)}"
        )
    if "target" in derived["image"]:
        lines.append(f"  an image: {short_duration(derived['image']['seconds'])}{_asked(derived['image'], ' s')}")
    lines.append(f"  multiply-adds done, of the dense pass's: {_percent(derived['multiply_adds_left'])}")
    lines.append(f"  a matrix product's rate: {derived['product_rate'] / 1e9:.0f} GFLOP/s")
    return "\n".join(lines)


def _line(derived: Mapping[str, Any], net: Mapping[str, Any], way: str) -> str:
    if way not in derived["ways"]:
        return str(net["missing"].get(way, "not measured"))
    numbers, memory = derived["ways"][way], net["ways"][way]["peak_memory"]
    line = f"{_milliseconds(numbers['ms'])} an evaluation, {numbers['per_second']:.1f} a second, "
    line += f"{short_duration(numbers['image_seconds'])} an image"
    if "rate" in numbers:
        line += f"; {numbers['rate'] / 1e9:.0f} GFLOP/s, {_percent(numbers['of_product'])} of a matrix product's"
    return line + ("" if memory is None else f"; peak {memory / 1e9:.2f} GB")


def table(record: Mapping[str, Any]) -> str:
    """One record as Markdown: a sentence on the machine, and a line for each net."""
    machine, versions, settings = record["machine"], record["versions"], record["settings"]
    on = f"torch threads: {machine['threads']}" if machine["kind"] == "cpu" else settings["precision"]
    lines = [
        f"**{machine['device']}**, {on}; torch {versions['torch']}, predicdiff {versions['predicdiff']}, "
        f"{record['date']}; k = {settings['window']}, S = {settings['samples']}, "
        f"medians of {settings['rounds']} rounds",
        "",
        "| net | an evaluation: plain torch | our dense | incremental | an image | times as fast as: plain torch "
        "| our dense | Captum | pycaffe | multiply-adds left | peak memory |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join(lines + [_row(name, net, machine["kind"]) for name, net in record["nets"].items()])


def _row(name: str, net: Mapping[str, Any], kind: str) -> str:
    derived = summary(name, net, kind)
    memory = net["ways"]["incremental"]["peak_memory"]
    cells = [
        NAMES.get(name, name) + (" (seeded weights)" if net["weights"] == "seeded" else ""),
        *(_milliseconds(derived["ways"][way]["ms"]) for way in ("naive", "dense", "incremental")),
        short_duration(derived["image"]["seconds"]),
        *(_times(derived, net, way) for way in AGAINST),
        _percent(derived["multiply_adds_left"]),
        "" if memory is None else f"{memory / 1e9:.2f} GB",
    ]
    return f"| {' | '.join(cells)} |"


def _times(derived: Mapping[str, Any], net: Mapping[str, Any], way: str) -> str:
    ratio = derived["times_as_fast"].get(way)
    return str(net["missing"].get(way, "")) if ratio is None else f"{ratio['median']:.2f}"


def _asked(ratio: Mapping[str, Any], unit: str = "") -> str:
    if "target" not in ratio:
        return ""
    return f"; target {ratio['target']:g}{unit}: {'reached' if ratio['reached'] else 'not reached'}"


def _milliseconds(ms: Mapping[str, float]) -> str:
    return f"{ms['median']:.3g} ms ({ms['min']:.3g} to {ms['max']:.3g})"


def _percent(part: float | None) -> str:
    return "unknown" if part is None else f"{100 * part:.0f} %"


def read(path: Path) -> dict[str, Any]:
    """A record of `make timing`; a FormatError if it is none."""
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        table(record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise FormatError(
            f"{path}: cannot be read as a record of times ({type(error).__name__}: {error}). "
            "Give a file that `make timing` wrote."
        ) from error
    return record


@click.command(help=__doc__)
@click.argument("records", nargs=-1, type=click.Path(path_type=Path))
def main(records: tuple[Path, ...]) -> None:
    """Print one table for each record."""
    try:
        read_records = [read(path) for path in records or sorted(RECORDS.glob("*.json"))]
        if not read_records:
            raise FormatError(f"no records in {RECORDS}: run `make timing` and copy OUT/timing.json there.")
    except PredicdiffError as error:
        say_error(error)
        sys.exit(2)
    say_text("\n\n".join(table(record) for record in read_records))


if __name__ == "__main__":
    main()
