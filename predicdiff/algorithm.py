"""Prediction difference analysis: Algorithm 1 of Zintgraf, Cohen and Welling (2016), over tiles of windows."""

from __future__ import annotations

import platform
import time
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np

from . import evidence, windows
from ._version import __version__
from .errors import ConfidenceWarning, OutOfMemoryError, SamplerError, SettingsError
from .explanation import Explanation, Target
from .journal import Journal
from .plan import MEMORY, Draws, Plan, evaluate_tile, make_plan
from .protocols import Net, Sampler, UnitLike

#: A reader is warned of a class that the net is sure of where Laplace's correction leaves less than this of small
#: changes in the evidence: with ILSVRC's N and K above a probability of 0.9988.
LEFT = 0.6

Progress = Callable[[int, int], None]


def explain(
    net: Net,
    image: np.ndarray,
    sampler: Sampler,
    *,
    window: windows.SidesLike = 10,
    samples: int = 20,
    stride: int = 1,
    blob: str | None = None,
    units: Sequence[UnitLike] | None = None,
    channels: Sequence[int] | None = None,
    top: int | None = None,
    against: int | None = None,
    measure: str | None = None,
    seed: int = 0,
    training_instances: int | None = None,
    memory: int = MEMORY,
    batch_size: int | None = None,
    start: str | None = None,
    channels_apart: bool = False,
    progress: Progress | None = None,
    checkpoint: str | Path | None = None,
) -> Explanation:
    """Which pixels speak for a class, or excite a unit: prediction difference analysis.

    Parameters
    ----------
    net : Net
        From `load_net`, or any object with the methods of `protocols.Net`.
    image : (C, H, W) float array or (H, W, 3) array
        Pixels as ``net.view`` gives them, or an RGB image, of which the net's view is taken and to which the result
        then knows its way back.
    sampler : Sampler
        What could have stood in a window: `MarginalSampler`, `GaussianSampler` or any object with their ``draw``.
    window : int or (rows, columns)
        The paper's k; a tuple for windows that are not square.
    samples, stride : int
        The paper's S, and the step between windows (1 in the paper, at most the window's smaller side).
    blob : str, optional
        Where the units lie; by default the net's probabilities.
    units : sequence of int or (channel, row, column), optional
    channels : sequence of int, optional
        Maps of which the mean is explained.
    top : int, optional
        The n classes with the highest scores. By default, of ``units``, ``channels`` and ``top``, the predicted class.
    against : int, optional
        A class to hold each target against: the fall of their log-ratio, or of their scores' difference.
    measure : {"evidence", "activation"}, optional
        By default weight of evidence for probabilities, activation difference for any other blob.
    seed : int
        Each window has its own stream of random numbers, keyed by (seed, row, column).
    training_instances : int, optional
        N of Laplace's correction; by default the net's.
    memory : int
        Bytes that the run may take, the program itself and the sampler apart; sets the batch size, where
        ``batch_size`` does not.
    start : str, optional
        A hidden blob whose activations are taken away instead of pixels, equation (6). The sampler draws activations
        (see `samplers.hidden`), windows lie on the blob's maps, and so does the relevance. Takes k = 1 on a vector.
    channels_apart : bool
        Take each channel of a window away alone, for a map per target and channel; with ``window=1``, each unit.
    progress : callable, optional
        Called with (windows done, windows in all).
    checkpoint : path, optional
        File that keeps finished tiles; a second call with the same settings goes on from there. It is left in place.

    Returns
    -------
    Explanation

    Raises
    ------
    PredicdiffError
        One of its kinds, before any work is done, if something does not fit.

    References
    ----------
    L. M. Zintgraf, T. S. Cohen, M. Welling, "A New Method to Visualize Deep Neural Networks", 2016.
    """
    plan = make_plan(
        net, image, sampler, window=window, samples=samples, stride=stride, blob=blob, units=units, channels=channels,
        top=top, against=against, measure=measure, seed=seed, training_instances=training_instances, start=start,
        channels_apart=channels_apart,
    )  # fmt: skip
    return run(plan, memory=memory, batch_size=batch_size, progress=progress, checkpoint=checkpoint)


def run(
    plan: Plan,
    *,
    memory: int = MEMORY,
    batch_size: int | None = None,
    progress: Progress | None = None,
    checkpoint: str | Path | None = None,
) -> Explanation:
    """Work through a plan's tiles, those of an interrupted run excepted; parameters as for `explain`."""
    _check_effort(memory, batch_size)
    _check_sampler(plan.sampler)
    notes = _warn_if_flattened(plan)
    started = time.perf_counter()
    before = _work(plan)
    state = first_state(plan, memory, batch_size)
    done = 0
    kept = Journal(None if checkpoint is None else Path(checkpoint), plan.identity, state)
    with kept as journal, ThreadPoolExecutor(1) as pool:
        batch = int(journal.state["batch_size"])
        tiles = plan.tiles(int(journal.state["tile"]))
        windows_before = sum(tiles[number].stop - tiles[number].start for number in journal.tiles)
        ahead = _Ahead(pool, plan, [tile for number, tile in enumerate(tiles) if number not in journal.tiles])
        for number, tile in enumerate(tiles):
            if number in journal.tiles:
                batch = int(journal.tiles[number][2])  # as it was when memory had run out
            else:
                difference, batch = evaluate_tile(plan, tile, batch, ahead.next())
                journal.add(number, *difference, np.array(batch))
            done += tile.stop - tile.start
            if progress is not None:
                progress(done, len(plan.origins))
        found = [journal.tiles[number] for number in range(len(tiles))]
    effort = {"seconds": time.perf_counter() - started, "windows_before": windows_before, "batch_size": batch}
    return _assemble(plan, found, notes, {**effort, **_effort(plan, before)})


def _check_effort(memory: int, batch_size: int | None) -> None:
    if not isinstance(memory, (int, float, np.number)):
        raise SettingsError(f"memory = {memory!r}: want a number of bytes, such as 4e9.")
    if batch_size is not None and not (isinstance(batch_size, (int, np.integer)) and batch_size >= 1):
        raise SettingsError(f"batch size {batch_size!r}: want at least 1.")


def _check_sampler(sampler: Any) -> None:
    is_class = isinstance(sampler, type)
    if is_class or not callable(getattr(sampler, "draw", None)):
        named = f"the class {sampler.__name__}" if is_class else f"a {type(sampler).__name__}"
        raise SamplerError(
            f"the sampler is {named}: want a MarginalSampler, a GaussianSampler or another object with their method "
            "draw."
        )


def first_state(plan: Plan, memory: int, batch_size: int | None) -> dict[str, int]:
    """How a run is cut up, which a continued one takes over: the batch size, and evaluations in a tile."""
    return {"batch_size": plan.batch(memory) if batch_size is None else batch_size, "tile": plan.tile(memory)}


def _work(plan: Plan) -> tuple[float, float]:
    """Multiply-adds that the net has done so far, and those of dense passes; 0 where it does not count them."""
    work = getattr(plan.net, "work", None) if hasattr(plan.net, "evaluation") else None
    return (0.0, 0.0) if work is None else (work.done, work.dense)


def _effort(plan: Plan, before: tuple[float, float]) -> dict[str, Any]:
    """JSON-able: how a net that counts its work has evaluated, and the part of dense passes' multiply-adds it did."""
    evaluation = getattr(plan.net, "evaluation", None)
    if evaluation is None:
        return {}
    done, dense = (after - start for after, start in zip(_work(plan), before))
    made = {"evaluation": evaluation(plan.blob, start=plan.start)}
    return {**made, "work_share": done / dense} if dense > 0 else made


class _Ahead:
    """Draws of tile after tile, each made by another thread while the one before it is evaluated."""

    def __init__(self, pool: ThreadPoolExecutor, plan: Plan, tiles: Sequence[slice]) -> None:
        self._pool, self._plan = pool, plan
        self._left = iter(tiles)
        self._tile: slice | None = None
        self._coming: Future[Draws] | None = None
        self._start()

    def next(self) -> Draws | None:
        """The next tile's; where memory ran out made again with nothing beside them, None where that fails too."""
        drawn, tile, coming = None, self._tile, self._coming
        if tile is not None and coming is not None:
            try:
                drawn = coming.result()
            except (OutOfMemoryError, MemoryError):
                with suppress(OutOfMemoryError, MemoryError):
                    drawn = self._plan.sample(tile)
        self._start()
        return drawn

    def _start(self) -> None:
        self._tile = next(self._left, None)
        self._coming = None if self._tile is None else self._pool.submit(self._plan.sample, self._tile)


def _warn_if_flattened(plan: Plan) -> list[str]:
    if plan.measure != "evidence" or plan.against is not None:  # the log of a probability near 1 is left as it is
        return []
    highest = plan.base.max()
    if highest < 0.5 or evidence.kept(highest, instances=plan.instances, classes=plan.classes) >= LEFT:
        return []
    note = f"The net is sure (p = {highest:.5f}): Laplace's correction flattens the weight of evidence."
    if plan.net.scores:
        note += f" Explain the pre-softmax blob instead: blob={plan.net.scores!r}."
    warnings.warn(note, ConfidenceWarning, stacklevel=4)
    return [note]


def _assemble(
    plan: Plan, tiles: Sequence[tuple[np.ndarray, ...]], notes: list[str], effort: dict[str, Any]
) -> Explanation:
    values = np.concatenate([tile[0] for tile in tiles])
    variances = np.concatenate([tile[1] for tile in tiles])
    where: dict[str, Any] = {"window": plan.window, "shape": plan.ground.shape[-2:]}
    targets = _sources(plan)
    return Explanation(
        relevance=windows.spread(values, plan.origins, **where),
        stderr=windows.spread_error(variances, plan.origins, **where),
        targets=targets,
        base=np.repeat(plan.base[: len(plan.targets)], len(targets) // len(plan.targets)),
        pixels=plan.pixels,
        unit="bits" if plan.measure == "evidence" else "activation",
        settings=plan.settings,
        provenance={**plan.identity, **effort, "versions": versions()},
        notes=notes + _sampler_notes(plan),
        image=plan.image,
        frame=plan.frame,
    )


def _sources(plan: Plan) -> list[Target]:
    """A target for each map: with channels apart, each of the plan's for each channel."""
    if plan.apart:
        where = plan.start or "channel"
        names: list[str | None] = [f"{where}[{channel}]" for channel in range(len(plan.ground))]
    else:
        names = [plan.start]
    return [replace(target, source=name) for target in plan.targets for name in names]


def _sampler_notes(plan: Plan) -> list[str]:
    notes = list(getattr(plan.sampler, "notes", []))
    population = plan.population
    if population == 0:
        return notes  # the sampler's own say what it took
    if population is not None and population <= plan.samples:
        notes.append(
            f"Each of the {population} other images was put into each window once: for this corpus the result is "
            "exact, and its standard error of 0 says nothing of images outside it."
        )
    elif population is not None:
        notes.append(
            f"The standard error is that of drawing from the corpus of {population} other images, not of the world."
        )
    return notes


def versions() -> dict[str, str]:
    """Versions of what computed a result."""
    return {"predicdiff": __version__, "python": platform.python_version(), "numpy": np.__version__}
