"""What an image costs a study, piece by piece: seconds of workers and of this process, and bytes between them."""

from __future__ import annotations

import pickle
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, Callable

import numpy as np
from PIL import Image

from predicdiff.algorithm import first_state, go_on
from predicdiff.budget import MEMORY
from predicdiff.executors.spread import Luggage, tile_of
from predicdiff.explanation import Explanation
from predicdiff.image_files import content_of
from predicdiff.images import load_image
from predicdiff.journal import Journal
from predicdiff.plan import Analysis, make_plan
from predicdiff.presets import QUALITIES
from predicdiff.settings import Settings
from predicdiff.studies.folder import Files, Maker, Study, asked
from predicdiff.studies.one import Item, Outcome
from predicdiff.workers.protocol import Workers
from predicdiff.workers.spreading import Task, spread

from . import common
from .scaling_simulated import Road
from .timing_nets import load

#: Side k of the windows.
WINDOW = 10
#: Tasks by whose number this process' work for each is told.
TASKS = 100
#: Files that are read and written by the clock.
WRITES = 50


@dataclass(frozen=True)
class Subject:
    """A net, a sampler and an image's file."""

    name: str
    net: Any
    sampler: Any
    file: Path

    @classmethod
    def of(cls, name: str, folder: Path, seed: int) -> Subject:
        """A net of the manifest, or what `timing_nets.load` knows, before the bundled cat, written as a JPEG."""
        net, image = load(name, seed=seed, device="cpu").net, common.images(())["chelsea"]
        sampler = common.sampler(common.Case(name, net, "chelsea", image), WINDOW, seed)
        file = folder / "chelsea.jpg"
        Image.fromarray(image).save(file, quality=95)
        return cls(name, net, sampler, file)

    def analysis(self, settings: Settings) -> Analysis:
        """The image, read and planned."""
        return make_plan(self.net, load_image(self.file), settings).with_sampler(self.sampler)

    @property
    def item(self) -> Item:
        """The file, as a study has it."""
        return Item(0, str(self.file), self.file)


def preset(quality: str, seed: int) -> Settings:
    """The settings that ``--quality`` names."""
    chosen = QUALITIES[quality]
    return Settings(window=WINDOW, samples=chosen.samples, stride=chosen.stride, seed=seed)


def costs(subject: Subject, settings: Settings, folder: Path, workers: Workers, rounds: int) -> dict[str, Any]:
    """Seconds and bytes of an image; JSON-able.

    Parameters
    ----------
    subject : Subject
    settings : Settings
    folder : Path
        An empty one, in which a study is written.
    workers : Workers
        By which messages go; one thread each.
    rounds : int
        How often each is timed; medians count.
    """
    plan, analysis = timed(lambda: subject.analysis(settings), rounds)
    state = first_state(analysis, MEMORY, None)
    tiles = analysis.tiles(int(state["tile"]))
    seconds, made = _tiles(subject, analysis, tiles, int(state["batch_size"]), rounds)
    assembled, explanation = timed(lambda: _assembled(analysis, tiles, made.outcome), 1)
    drawn, files = timed(lambda: Maker()(subject.item, "0" * 64, explanation), rounds)
    content = content_of(subject.file)
    outcome = Outcome(subject.item._replace(source=None), files, "", (), "0" * 64, 1.0)
    outs = {"tile": size(analysis.origins[:1], tiles[0], 1), "image": size(subject.item._replace(source=content))}
    backs = {"tile": size(made), "image": size(outcome)}
    return {
        "tiles": len(tiles),
        "tile_evaluations": (tiles[0].stop - tiles[0].start) * analysis.draws,
        "tile_seconds": seconds,
        "plan": plan,
        "assemble": assembled,
        "draw": drawn,
        "read": waited(lambda: content_of(subject.file), WRITES),
        "write": _written(folder, settings, subject, files),
        "keep_tile": _kept(folder / "some.tiles", analysis, made.outcome),
        "message": {name: _message(workers, outs[name], backs[name]) for name in outs},
        "bytes": {
            "net": size(analysis.net) + size(analysis.sampler),
            "luggage": size(Luggage.of(analysis)),
            "out": outs,
            "back": backs,
        },
    }


def roads(found: dict[str, Any], start: float) -> tuple[Road, Road]:
    """An image on both of its ways, by what `costs` has found: as a whole to one worker, and tile by tile."""
    sizes, tile = found["bytes"], median(found["tile_seconds"])
    after = found["assemble"] + found["draw"]
    image = found["plan"] + found["tiles"] * tile + after
    one, each = found["message"]["image"], found["message"]["tile"]
    whole = Road(
        "image by image", 1, image, before=found["read"], giving=one / 2, taking=one / 2, after=found["write"],
        out=sizes["out"]["image"], back=sizes["back"]["image"], net=sizes["net"], start=start,
    )  # fmt: skip
    by_tiles = Road(
        "tile by tile", found["tiles"], tile, before=found["read"] + found["plan"], giving=each / 2,
        taking=each / 2 + found["keep_tile"], after=after + found["write"], out=sizes["out"]["tile"],
        back=sizes["back"]["tile"], luggage=sizes["luggage"], net=sizes["net"], start=start, whole=False,
    )  # fmt: skip
    return whole, by_tiles


def size(*things: Any) -> int:
    """Bytes of things on their way."""
    return len(pickle.dumps(things, protocol=pickle.HIGHEST_PROTOCOL))


def timed(does: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """The median of an action's seconds, after a first time that is not counted, and what it gave.

    They are the processor's, since one thread computes: whoever else is at work on the machine takes none of them.
    """
    seconds, value = [], does()
    for _ in range(rounds):
        started = time.process_time()
        value = does()
        seconds.append(time.process_time() - started)
    return median(seconds), value


def waited(does: Callable[[], Any], rounds: int) -> float:
    """The lower quartile of an action's seconds by the clock, for what waits for a disk: others at work only add."""
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        does()
        seconds.append(time.perf_counter() - started)
    return float(np.quantile(seconds, 0.25))


def _tiles(
    subject: Subject, analysis: Analysis, tiles: list[slice], batch: int, rounds: int
) -> tuple[list[float], Any]:
    """Seconds of tiles here and there in the image, as a worker evaluates them, and one's answer."""
    seconds: list[float] = []
    some = np.linspace(0, len(tiles) - 1, rounds + 2).astype(int)[1:-1]
    luggage = Luggage.of(analysis)
    made = tile_of(analysis.net, subject.sampler, luggage, tiles[some[0]], batch)  # which is not counted
    for number in some:
        started = time.process_time()
        made = tile_of(analysis.net, subject.sampler, luggage, tiles[number], batch)
        seconds.append(time.process_time() - started)
    return seconds, made


def _assembled(analysis: Analysis, tiles: list[slice], outcome: tuple[np.ndarray, ...]) -> Explanation:
    """An explanation of tiles that are all there already: one's values, again and again."""
    with Journal(None, analysis.tiles_identity, first_state(analysis, MEMORY, None)) as journal:
        for number, tile in enumerate(tiles):
            arrays = (np.resize(values, shape) for values, shape in zip(outcome, analysis.shapes_kept(tile)))
            journal.add(number, *arrays, np.array(1))
        return go_on(analysis, journal)


def _written(folder: Path, settings: Settings, subject: Subject, files: Files) -> float:
    """Seconds of a study for the result, the picture and the row of an image."""
    numbers = count()
    with Study(folder / "study", {"settings": asked(settings)}) as study:

        def write() -> None:
            number = next(numbers)
            study.add(Outcome(Item(number, f"image {number}", None), files, sha256=f"{number:064d}"))

        return waited(write, WRITES)


def _kept(path: Path, analysis: Analysis, outcome: tuple[np.ndarray, ...]) -> float:
    """Seconds until a tile is on the disk."""
    numbers = count()
    with Journal(path, analysis.tiles_identity, first_state(analysis, MEMORY, None)) as journal:
        return waited(lambda: journal.add(next(numbers), *outcome, np.array(1)), WRITES)


def echo(content: bytes, answer: int) -> bytes:
    """So many bytes; what a worker does for `_message`."""
    return bytes(answer)


def _message(workers: Workers, out: int, back: int) -> float:
    """This process' own seconds for a task of ``out`` bytes and an answer of ``back``, whatever workers do."""
    content = bytes(out)
    tasks = [Task(number, echo, (), lambda lost: (content, back)) for number in range(TASKS)]
    list(spread(workers, tasks[: workers.count]))  # workers are there then
    started = time.process_time()
    list(spread(workers, tasks))
    return (time.process_time() - started) / TASKS
