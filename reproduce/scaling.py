"""How a study scales: by one worker and two here, over 10 to 1,000 images, and simulated for up to 1,000 workers.

Measured are the same work by one worker and by two, and by one thread of this process and by two, in turns: an image
tile by tile, and a study image by image; then what an image costs, piece by piece, at the settings "preview" and
"paper"; and studies of small images, whose cost an image and whose memory must not depend on their number. From these
costs a study of 100,000 images is simulated, with so many workers, on networks of 1 and 10 Gbit/s: how busy workers
are, what is the limit, and how long tasks have to be. Prints tables, and writes OUT/scaling.json.
"""

from __future__ import annotations

import datetime
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
import torch

from predicdiff.assembly import versions
from predicdiff.cli.console import say_error, say_text
from predicdiff.cli.options.base import Options, option_field, options_of
from predicdiff.cli.outputs import check_outputs
from predicdiff.cores import sharing
from predicdiff.errors import PredicdiffError
from predicdiff.settings import Settings

from . import common
from .scaling_costs import WINDOW, Subject, costs, preset, roads
from .scaling_simulated import Cluster, Road, simulated, smallest
from .scaling_small import small_study
from .scaling_table import report
from .scaling_turns import HERE, WORKERS, Turns, efficiency, told
from .timing_machine import machine

NETS = ("squeezenet", "googlenet")
PRESETS = ("preview", "paper")
#: Draws of each window in turns, as "preview" has them.
SAMPLES = 2
#: Images whose number is simulated, workers, and the network's bits a second.
IMAGES, COUNTS, NETWORKS = 100_000, (1, 10, 100, 1_000), (1e9, 10e9)
#: Seconds of a scheduler for each task: what Dask's own documentation says of its.
SCHEDULER = 1e-3


@dataclass(frozen=True)
class Request(Options):
    """What is measured."""

    names: tuple[str, ...] = option_field(
        "--net", multiple=True, help=f"A net's name; repeat for more; turns take the first. [{' '.join(NETS)}]"
    )
    turns: int = option_field("--turns", type=click.IntRange(min=1), default=5, help="That count, behind a first one.")
    stride: int = option_field("--stride", type=click.IntRange(min=1), default=4, help="In turns, of the one image.")
    study_stride: int = option_field(
        "--study-stride", type=click.IntRange(min=1), default=16, help="In turns, of the study's images."
    )
    images: int = option_field("--images", type=click.IntRange(min=4), default=8, help="Of the study, behind a first.")
    small: tuple[int, ...] = option_field(
        "--small", multiple=True, type=click.IntRange(min=3), help="Small images; repeat for more. [10 100 1000]"
    )
    seed: int = option_field("--seed", type=click.IntRange(min=0), default=0, help="Of draws and weights.")
    out: Path = option_field("--out", type=click.Path(path_type=Path), default="out", help="Where scaling.json goes.")

    def settings(self, stride: int) -> Settings:
        """Of images that are explained in turns."""
        return Settings(window=WINDOW, samples=SAMPLES, stride=stride, seed=self.seed, between="linear")


def measure(request: Request, folder: Path) -> dict[str, Any]:
    """All that is measured; JSON-able."""
    subjects = [Subject.of(name, folder, request.seed) for name in request.names or NETS]
    found: dict[str, Any] = {"nets": {}, "small": []}
    for count in request.small or (10, 100, 1000):
        small = folder / f"small-{count}"
        small.mkdir()
        found["small"].append(small_study(small, count))
        common.say(f"{count} small images: done")
    with Turns(
        subjects[0], request.settings(request.stride), request.settings(request.study_stride), request.images, folder
    ) as turns:
        found["turns"] = {"net": subjects[0].name, **turns.measured(request.turns)}
        common.say("one and two workers: done")
        for subject in subjects:
            with sharing(1):
                found["nets"][subject.name] = _costs(request, subject, folder, turns)
            common.say(f"{subject.name}: done")
    return found


def _costs(request: Request, subject: Subject, folder: Path, turns: Turns) -> dict[str, Any]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = {}
        for quality in PRESETS:
            place = folder / f"{subject.name}-{quality}"
            place.mkdir()
            found[quality] = costs(subject, preset(quality, request.seed), place, turns.workers(2), request.turns)
        return found
    finally:
        torch.set_num_threads(before)


def derived(found: dict[str, Any]) -> dict[str, Any]:
    """What follows from what was measured: efficiencies, and simulated studies; JSON-able."""
    turns = found["turns"]
    start = turns["start"]["1 workers"]
    first = found["nets"][turns["net"]][PRESETS[0]]
    return {
        "efficiency": {
            work: {kind: efficiency(turns[work], kind) for kind in (WORKERS, HERE)} for work in ("image", "study")
        },
        "simulated_part": told(turns, *roads(first, start)),
        "studies": [
            {"net": name, "quality": quality, **row}
            for name, qualities in found["nets"].items()
            for quality, one in qualities.items()
            for road in roads(one, start)
            for row in _rows(road, one["tile_seconds"])
        ],
    }


def _rows(road: Road, seconds: list[float]) -> list[dict[str, Any]]:
    mean = sum(seconds) / len(seconds)
    factors = [one / mean for one in seconds]
    rows = []
    for network in NETWORKS:
        for count in COUNTS:
            cluster = Cluster(count, bandwidth=network / 8, scheduler=SCHEDULER)
            run = simulated(road, cluster, IMAGES, factors)
            more = {}
            if not road.whole:
                more["two_at_once"] = simulated(road, replace(cluster, lanes=2), IMAGES, factors).efficiency
            rows.append(
                {
                    "road": road.name, "network": network, "workers": count, "seconds": run.seconds, "rate": run.rate,
                    "busy": run.busy, "efficiency": run.efficiency, "limit": run.limit, "task": road.worker,
                    "smallest_task": smallest(road, cluster), **more,
                }
            )  # fmt: skip
    return rows


@click.command(help=__doc__)
@options_of(Request, "request")
def main(request: Request) -> None:
    """Measure, simulate, print and save."""
    path = request.out / "scaling.json"
    try:
        check_outputs([path], [])
        with tempfile.TemporaryDirectory(prefix="predicdiff-") as folder:
            found = measure(request, Path(folder))
        record = {
            "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
            "machine": machine(torch.device("cpu")),
            "versions": versions(),
            "asked": {**asdict(request), "out": str(request.out)},
            "scheduler": SCHEDULER,
            **found,
            **derived(found),
        }
        common.write_json(path, common.plain(record))
        say_text(report(record))
    except PredicdiffError as error:
        say_error(error)
        sys.exit(2)
    except KeyboardInterrupt:
        common.say("Interrupted: nothing is kept.")
        sys.exit(130)


if __name__ == "__main__":
    main()
