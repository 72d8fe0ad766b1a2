"""Weights that lie at a host in parts, a file for each blob: fetched over several connections, made into one file."""

from __future__ import annotations

import csv
import math
import queue
import shutil
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Mapping, NamedTuple, Sequence, Union

import numpy as np

from ...errors import DownloadError, WeightsError
from ..caffe.caffemodel_writer import caffemodel
from ..caffe.resolved import ResolvedNet
from .download import PATIENCE, BytesProgress, Failures, Job, attempt
from .manifest import Parts, Source, models_dir
from .part_file import Hash, PartFile, file_hash, part_file

CONNECTIONS = 8
#: The names of a layer's parts: of its first blob, and of its second.
SUFFIXES = ("filter", "bias")
#: The most reasons that a message shows.
REASONS = 3
#: Seconds until the keyboard is heard, and at most what open connections are given to put away what they have.
TICK = 0.5
#: Of a part that was asked for: why it did not come, None once it is there, or what went wrong here.
Answer = Union[Failures, None, BaseException]


class Part(NamedTuple):
    """One blob's file, as the list has it: its path without the folder, and what it must be."""

    name: str
    size: int
    sha1: str


def fetch_parts(
    source: Source,
    parts: Parts,
    net: ResolvedNet,
    target: Path,
    *,
    progress: BytesProgress | None = None,
    unreachable: dict[str, str] | None = None,
) -> Path:
    """Fetch the parts of a net's weights and write them into one caffemodel; what is there already is not asked for.

    Until all are there they lie in a folder beside ``target``.

    Parameters
    ----------
    source : Source
        What the caffemodel must be.
    parts : Parts
    net : ResolvedNet
        Whose weights they are.
    target : Path
    progress : callable, optional
        Called with the bytes that there are of all parts together.
    unreachable : dict, optional
        As for `download.fetch`.

    Returns
    -------
    Path
        ``target``

    Raises
    ------
    WeightsError
        If the list of parts does not fit the net, or they make another file than they should.
    DownloadError
        If some did not come, or nothing can be written; says what to do by hand.
    """
    of_layers = parts_of(net, listed_parts(parts.folder), source.file)
    wanted = [part for layer in of_layers.values() for part in layer]
    with part_file(target) as whole:
        folder = _folder(whole.path)
        try:
            lost = _Fetching(parts, folder, wanted, progress, {} if unreachable is None else unreachable).run()
            if lost:
                raise _incomplete(source, target, len(wanted), lost, stay=not whole.own)
            _put_together(source, net, of_layers, folder, whole)
            _remove(folder)
        finally:
            # those of a file of its own nobody would find again
            if whole.own or not any(path.is_file() for path in folder.rglob("*")):
                _remove(folder)
    return target


def discard_parts(target: Path) -> None:
    """Remove the parts that earlier calls left beside ``target``, which is there and does not need them."""
    _remove(_folder(target.with_name(target.name + ".part")))


def parts_of(net: ResolvedNet, listed: Mapping[str, Part], file: str) -> dict[str, list[Part]]:
    """The parts that each layer's blobs are, in the blobs' order.

    Raises
    ------
    WeightsError
        If a part is missing, superfluous or of another size; ``file`` is what it says is made of them.
    """
    rest, of_layers = dict(listed), {}
    for step in net.steps:
        layer, shapes = step.layer.name, step.shapes.weights
        if not shapes:
            continue
        names = [f"{layer}_{suffix}.bin" for suffix in SUFFIXES[: len(shapes)]]
        found = [rest.pop(name) for name in names if name in rest]
        sizes, listed_sizes = [4 * math.prod(shape) for shape in shapes], [part.size for part in found]
        if sizes != listed_sizes:
            raise _misfit(file, f"layer {layer!r} wants parts of {sizes} bytes, found {listed_sizes}")
        of_layers[layer] = found
    if rest:
        raise _misfit(file, f"the net has no layer for {', '.join(sorted(rest)[:REASONS])}")
    return of_layers


def blob(content: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Numbers in the order of a part, as Caffe's blob: a convolution's filters are stored with their channels last."""
    if len(shape) != 4:
        return content.reshape(shape)
    out, channels, height, width = shape
    return content.reshape(out, height, width, channels).transpose(0, 3, 1, 2)


def listed_parts(folder: str) -> dict[str, Part]:
    """The parts that the list has below a folder, by their names in it."""
    with open(models_dir() / "parts.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    mine = [(row["path"][len(folder) + 1 :], row) for row in rows if row["path"].startswith(f"{folder}/")]
    return {name: Part(name, int(row["bytes"]), row["sha1"]) for name, row in mine}


def _folder(part: Path) -> Path:
    """Where the parts lie of what is written to this ``.part``: processes that write to two files have two folders."""
    return part.with_name(part.name + "s")


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _misfit(file: str, what: str) -> WeightsError:
    return WeightsError(
        f"{file}: the list of its parts does not fit the net's prototxt: {what}. Install predicdiff again."
    )


class _StoppedError(Exception):
    """Nobody waits for this part any more."""


class _Fetching:
    """One call's parts: which are missing, how much there is of each, and the connections that bring them."""

    def __init__(
        self, parts: Parts, folder: Path, wanted: Sequence[Part], progress: BytesProgress | None, away: dict[str, str]
    ) -> None:
        self.parts, self.folder, self.wanted, self.away = parts, folder, wanted, away
        self.progress = progress
        self.have = dict.fromkeys(wanted, 0)
        self.stopped = False
        self.lock = threading.Lock()

    def run(self) -> list[Failures]:
        """Fetch what is missing; gives why parts did not come, for each of them."""
        missing = [part for part in self.wanted if not self.is_there(part)]
        # One alone, so that a host which is away is waited for once; then it is known, and not asked by the others.
        answers = [self.ask(part) for part in missing[:1]] + self.at_once(missing[1:])
        return [failures for failures in answers if failures is not None]

    def is_there(self, part: Part) -> bool:
        """Whether a part is whole."""
        path = self.folder / part.name
        there = path.is_file() and file_hash(path, "sha1") == part.sha1
        self.have[part] = part.size if there else 0
        return there

    def ask(self, part: Part) -> Failures | None:
        """Fetch one part; gives why it did not come."""
        urls = [f"{url}/{self.parts.folder}/{part.name}" for url in self.parts.urls]
        job = Job(Hash("sha1", part.sha1), part.size, part.size, lambda have, _: self.received(part, have), PATIENCE)
        failures = attempt(urls, self.folder / part.name, job, self.away)
        if failures is None:
            self.received(part, part.size)
        return failures

    def received(self, part: Part, have: int) -> None:
        """Say how much there is; ends the transfer that calls it where nobody waits for it."""
        with self.lock:
            if self.stopped:
                raise _StoppedError
            self.have[part] = have
            if self.progress is not None:
                self.progress(sum(self.have.values()), sum(part.size for part in self.wanted))

    def at_once(self, parts: Sequence[Part]) -> list[Failures | None]:
        """Ask for parts over several connections.

        In threads that nobody waits for when the program ends: a silent host must not keep it.
        """
        todo: queue.Queue[Part] = queue.Queue()
        done: queue.Queue[Answer] = queue.Queue()
        for part in parts:
            todo.put(part)
        threads = [
            threading.Thread(target=self.work, args=(todo, done), daemon=True)
            for _ in range(min(CONNECTIONS, len(parts)))
        ]
        for thread in threads:
            thread.start()
        try:
            return [_result(done) for _ in parts]
        finally:
            with self.lock:
                self.stopped = True
            end = time.monotonic() + TICK
            for thread in threads:
                thread.join(max(0.0, end - time.monotonic()))

    def work(self, todo: queue.Queue[Part], done: queue.Queue[Answer]) -> None:
        """One connection: ask for parts until there are none left."""
        with suppress(queue.Empty):
            while not self.stopped:
                part = todo.get_nowait()
                try:
                    done.put(self.ask(part))
                except BaseException as error:  # of any type: raised again in the caller's thread
                    done.put(error)


def _result(done: queue.Queue[Answer]) -> Failures | None:
    """The next result; waited for in steps, since not every system lets the keyboard interrupt a waiting thread."""
    while True:
        with suppress(queue.Empty):
            result = done.get(timeout=TICK)
            if isinstance(result, BaseException):
                raise result
            return result


def _incomplete(source: Source, target: Path, count: int, lost: Sequence[Failures], *, stay: bool) -> DownloadError:
    of_reasons: dict[str, list[str]] = defaultdict(list)
    for url, failure in (item for failures in lost for item in failures):
        of_reasons[str(failure)].append(url)
    shown = [f"{urls[0]}{_others(len(urls) - 1)}: {reason}" for reason, urls in of_reasons.items()]
    if len(shown) > REASONS:
        shown[REASONS:] = ["and others for other reasons"]
    lines = [f"{source.file} in parts: {len(lost)} of {count} did not come.", *(f"  {line}" for line in shown)]
    if stay and len(lost) < count:
        lines.append("The same command goes on with those that are there.")
    return DownloadError(*lines, f"By hand: put the file whose SHA-1 is {source.sha1} at {target}")


def _others(count: int) -> str:
    return f" and {count} other{'s' if count > 1 else ''}" if count else ""


def _put_together(
    source: Source, net: ResolvedNet, of_layers: Mapping[str, Sequence[Part]], folder: Path, whole: PartFile
) -> None:
    shapes = {step.layer.name: step.shapes.weights for step in net.steps}
    weights = {
        layer: [blob(np.fromfile(str(folder / part.name), "<f4"), shape) for part, shape in zip(parts, shapes[layer])]
        for layer, parts in of_layers.items()
    }
    whole.clear()
    for chunk in caffemodel(net, weights):
        whole.write(chunk)
    digest = whole.keep_if(Hash("sha1", source.sha1))
    if digest != source.sha1:
        raise WeightsError(
            f"{source.file}: what its parts make has the SHA-1 {digest}, want {source.sha1}: the net's prototxt is not "
            "the one that the manifest describes. Install predicdiff again."
        )
