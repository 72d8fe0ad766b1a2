"""How long an evaluation takes on several cores: by torch's threads, by threads of ours, and by processes.

Windows at random places of the bundled cat, k = 10, S = 20, drawing included. In every round each way has its turn: one
thread; one evaluation after the other by torch's threads, which wait for each other; threads that evaluate tiles side
by side and compute alone, as `explain` has it; and processes, each with one thread and a net of its own. The first
round warms up and is not counted. ``--beside`` adds busy loops, as many as threads, or another program with as many of
torch's threads. Prints a table of milliseconds an evaluation and writes OUT/timing_threads.json.
"""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Callable, Iterator

import click
import numpy as np
import torch

from predicdiff.assembly import versions
from predicdiff.budget import MEMORY
from predicdiff.cli.console import say_error, say_text
from predicdiff.cli.options.base import Options, option_field, options_of
from predicdiff.cli.options.values import FOLDER
from predicdiff.cli.outputs import check_outputs
from predicdiff.cores import cores
from predicdiff.errors import PredicdiffError
from predicdiff.executors.here import Team, evaluated
from predicdiff.plan import Analysis, make_plan
from predicdiff.presets import QUALITIES
from predicdiff.settings import Settings

from . import common
from .timing_machine import machine
from .timing_nets import definition, load
from .timing_ways import DisagreementError

NETS = ("squeezenet1.1", "googlenet", "efficientnet_lite0")
KINDS = ("marginal", "conditional")
WINDOW = 10
SAMPLES = QUALITIES["paper"].samples
#: A program that computes at the same time, until whoever started it is gone.
PROGRAM = """
import os, sys
parent, threads, torchs = os.getppid(), int(sys.argv[1]), sys.argv[2] == "torch"
if torchs:
    import torch
    torch.set_num_threads(threads)
    maps, weights = torch.rand(4, 64, 56, 56), torch.rand(64, 64, 3, 3)
while os.getppid() == parent:
    for _ in range(10 if torchs else 10**6):
        torchs and torch.conv2d(maps, weights)
"""
#: What may compute beside: how many such programs for so many threads of ours.
BESIDE: dict[str, Callable[[int], int]] = {
    "nothing": lambda threads: 0,
    "loops": lambda threads: threads,
    "torch": lambda threads: 1,
}
WAYS = ("one thread", "torch's threads", "threads", "processes")

#: Evaluates all tiles once; gives their values in the tiles' order.
Turn = Callable[[], np.ndarray]


@dataclass(frozen=True)
class Case:
    """What is evaluated: a net, how it is drawn, and how many threads have how many windows each."""

    net: str
    kind: str
    threads: int
    windows: int
    seed: int

    def analysis(self) -> Analysis:
        """Windows at random places of the bundled cat."""
        net, image = load(self.net, seed=self.seed, device="cpu").net, common.images(())["chelsea"]
        sampler = common.sampler(common.Case(self.net, net, "chelsea", image), WINDOW, self.seed, self.kind)
        settings = Settings(window=WINDOW, samples=SAMPLES, stride=1, seed=self.seed)
        analysis = make_plan(net, image, settings).with_sampler(sampler)
        count = self.threads * self.windows
        chosen = np.random.default_rng(self.seed).choice(len(analysis.origins), count, replace=False)
        return replace(analysis, origins=analysis.origins[chosen])

    @property
    def tiles(self) -> dict[int, slice]:
        """One for each thread."""
        return {number: slice(number * self.windows, (number + 1) * self.windows) for number in range(self.threads)}


def by(analysis: Analysis, tiles: dict[int, slice], team: Team, of_torch: int) -> Turn:
    """Tiles evaluated here, as `explain` does, where torch has so many threads."""
    batch = analysis.batch(MEMORY)

    def turn() -> np.ndarray:
        before = torch.get_num_threads()
        torch.set_num_threads(of_torch)
        try:
            values = {number: difference.value for number, difference, *_ in evaluated(analysis, tiles, batch, team)}
        finally:
            torch.set_num_threads(before)
        return np.concatenate([values[number] for number in sorted(values)])

    return turn


def serve(case: Case, number: int, pipe: Connection) -> None:
    """Evaluate a tile whenever a message comes, in a process of its own; an empty one ends it."""
    torch.set_num_threads(1)
    turn = by(case.analysis(), {number: case.tiles[number]}, Team(), 1)
    pipe.send_bytes(b"ready")
    while pipe.recv_bytes():
        pipe.send(turn())


@contextmanager
def processes(case: Case) -> Iterator[Turn]:
    """Tiles evaluated by as many processes."""
    context = multiprocessing.get_context("spawn")
    started = []
    with ExitStack() as end:
        for number in case.tiles:
            mine, other = context.Pipe()
            process = context.Process(target=serve, args=(case, number, other), daemon=True)
            process.start()
            end.callback(process.terminate)
            other.close()
            started.append(mine)
        for pipe in started:
            pipe.recv_bytes()

        def turn() -> np.ndarray:
            for pipe in started:
                pipe.send_bytes(b"go")
            return np.concatenate([pipe.recv() for pipe in started])

        yield turn


@contextmanager
def busy(beside: str, threads: int) -> Iterator[None]:
    """Have something else compute meanwhile."""
    command = [sys.executable, "-c", PROGRAM, str(threads), beside]
    running = [subprocess.Popen(command) for _ in range(BESIDE[beside](threads))]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def measure(case: Case, beside: tuple[str, ...], rounds: int) -> dict[str, Any]:
    """Milliseconds an evaluation by way, for each of what computes beside.

    Raises
    ------
    DisagreementError
        If ways in which each batch is computed by one thread differ in a single bit.
    """
    analysis, tiles = case.analysis(), case.tiles
    started = time.perf_counter()
    with processes(case) as of_processes:
        start = time.perf_counter() - started
        ways = {
            "one thread": by(analysis, tiles, Team(), 1),
            "torch's threads": by(analysis, tiles, Team(), case.threads),
            "threads": by(analysis, tiles, Team(case.threads, 1), case.threads),
            "processes": of_processes,
        }
        check(case, {way: turn() for way, turn in ways.items()})
        told: dict[str, Any] = {"processes' start": start}
        for name in beside:
            with busy(name, case.threads):
                told[name] = _rounds(ways, rounds, len(analysis.origins) * SAMPLES)
    return told


def check(case: Case, values: dict[str, np.ndarray]) -> None:
    """Refuse to time ways that should give the same to the bit and do not."""
    for way in ("threads", "processes"):
        if not np.array_equal(values[way], values["one thread"]):
            raise DisagreementError(f"{case.net}: {way} give other values than one thread: no time is reported.")


def _rounds(ways: dict[str, Turn], count: int, evaluations: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(count + 1):
        for way, turn in ways.items():
            started = time.perf_counter()
            turn()
            taken[way].append(1000 * (time.perf_counter() - started) / evaluations)
    return {way: times[1:] for way, times in taken.items()}


def table(record: dict[str, Any]) -> str:
    """Markdown: medians, with the least and the most in brackets."""
    threads = record["settings"]["threads"]
    heads = ["one thread", f"{threads} of torch's threads", f"{threads} threads, each alone", f"{threads} processes"]
    lines = [f"| net | draws | beside | {' | '.join(heads)} |", "|---" * (3 + len(heads)) + "|"]
    for row in record["rows"]:
        for name, times in row["ms"].items():
            cells = [f"{np.median(times[way]):.3g} ({min(times[way]):.3g} to {max(times[way]):.3g})" for way in WAYS]
            lines.append(f"| {row['net']} | {row['draws']} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


@dataclass(frozen=True)
class Request(Options):
    """What the command takes."""

    names: tuple[str, ...] = option_field("--net", multiple=True, help="A net's name; repeat for more. [three nets]")
    kinds: tuple[str, ...] = option_field(
        "--sampler", type=click.Choice(KINDS), multiple=True, help="What draws; repeat for both. [both]"
    )
    beside: tuple[str, ...] = option_field(
        "--beside", type=click.Choice(list(BESIDE)), multiple=True, help="What else computes; repeat. [nothing]"
    )
    threads: int | None = option_field(
        "--threads", type=click.IntRange(min=1), help="How many. [the cores that this process may use]"
    )
    windows: int = option_field("--windows", type=click.IntRange(min=1), default=16, help="Of each thread.")
    rounds: int = option_field("--rounds", type=click.IntRange(min=1), default=3, help="Rounds that count.")
    seed: int = option_field("--seed", type=click.IntRange(min=0), default=0, help="Of windows, draws and weights.")
    out: Path = option_field("--out", type=FOLDER, default="out")


@click.command(help=__doc__)
@options_of(Request, "request")
def main(request: Request) -> None:
    """Measure, print and save."""
    threads, path = request.threads or cores(), request.out / "timing_threads.json"
    beside = tuple(dict.fromkeys(request.beside or ("nothing",)))
    settings = {**asdict(request), "threads": threads, "beside": beside, "out": str(request.out)}
    record: dict[str, Any] = {
        "machine": machine(torch.device("cpu")),
        "versions": {**versions(), "torch": str(torch.__version__)},
        "settings": settings,
        "rows": [],
    }
    try:
        check_outputs([path], [])
        names = dict.fromkeys(request.names or NETS)
        for name in names:
            definition(name)  # a mistyped name is to be told now, not after the nets before it
        for name in names:
            for kind in dict.fromkeys(request.kinds or KINDS):
                told = measure(Case(name, kind, threads, request.windows, request.seed), beside, request.rounds)
                start = told.pop("processes' start")
                record["rows"].append({"net": name, "draws": kind, "processes_start": start, "ms": told})
                common.write_json(path, record)
        say_text(table(record))
    except PredicdiffError as error:
        say_error(error)
        sys.exit(2)
    common.say(f"Written to {path}")


if __name__ == "__main__":
    main()
