"""Prediction difference analysis: Algorithm 1 of Zintgraf, Cohen and Welling (2016), over tiles of windows."""

from __future__ import annotations

import platform
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Sequence

import numpy as np

from . import evidence, windows
from ._version import __version__
from .abilities import NetAbilities
from .between import Spread, interpolated
from .errors import ConfidenceWarning, ExplanationError, InputWarning, SettingsError, warn
from .examination import check_again
from .executors.here import Executor, run_tiles
from .explanation import Explanation, Target
from .files import as_path
from .journal import Journal
from .plan import MEMORY, Analysis, Plan, make_plan
from .protocols import Json, Net, Progress, Sampler, UnitLike
from .readout import Readout
from .settings import Settings
from .units import check_progress

#: A reader is warned of a class that the net is sure of where Laplace's correction leaves less than this of small
#: changes in the evidence: with ILSVRC's N and K above a probability of 0.9988.
LEFT = 0.6


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
    against: UnitLike | None = None,
    measure: str | None = None,
    seed: int = 0,
    training_instances: int | None = None,
    memory: int = MEMORY,
    batch_size: int | None = None,
    start: str | None = None,
    channels_apart: bool = False,
    repeat: int = 1,
    between: str = "none",
    progress: Progress | None = None,
    checkpoint: str | Path | None = None,
) -> Explanation:
    """Which pixels speak for a class, or excite a unit: prediction difference analysis.

    Parameters
    ----------
    net : Net
        From `load_net`, or any object with the methods of `protocols.Net`; `check_net` tries one out.
    image : (C, H, W) float array, (H, W, 3) array or PIL image
        Pixels as ``net.view`` gives them, or an RGB image, of which the net's view is taken and to which the result
        then knows its way back. For a net of one channel (H, W) too. Where the net has preprocessing these are 0 to
        255: others are refused or warned of.
    sampler : Sampler
        What could have stood in a window: `MarginalSampler`, `GaussianSampler` or any object with their ``draw``;
        `check_sampler` tries one out.
    window : int or (rows, columns)
        The paper's k; a tuple for windows that are not square.
    samples, stride : int
        The paper's S, and the step between windows (1 in the paper, at most the window's smaller side).
    blob : str, optional
        Where the units lie; by default the net's probabilities.
    units : sequence of int, (channel, row, column) or str, optional
        A class may be given by its name, as the net's labels have it: all of a label, or one of the names in it.
    channels : sequence of int, optional
        Maps of which the mean is explained.
    top : int, optional
        The n classes with the highest scores. By default, of ``units``, ``channels`` and ``top``, the predicted class.
    against : int or str, optional
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
    repeat : int
        Of a net that draws by itself (dropout, noise): how many passes the values of each draw are averaged over. The
        untouched image's are averaged over ``samples`` times as many, since their error shifts the whole map.
    between : {"none", "linear"}
        At a stride above 1, "linear" interpolates the windows' evidence to all places between, and averages as if all
        had been evaluated: nearer to the map of stride 1 for the same work. The standard error is that of the draws.
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
    settings = Settings(
        window=window, samples=samples, stride=stride, blob=blob, units=units, channels=channels, top=top,
        against=against, measure=measure, seed=seed, training_instances=training_instances, start=start,
        channels_apart=channels_apart, repeat=repeat, between=between,
    )  # fmt: skip
    analysis = make_plan(net, image, settings).with_sampler(sampler)
    return run(analysis, memory=memory, batch_size=batch_size, progress=progress, checkpoint=checkpoint)


def run(
    analysis: Analysis,
    *,
    memory: int = MEMORY,
    batch_size: int | None = None,
    progress: Progress | None = None,
    checkpoint: str | Path | None = None,
    executor: Executor = run_tiles,
) -> Explanation:
    """Work through an analysis' tiles, those of an interrupted run excepted; parameters as for `explain`.

    ``executor`` says where tiles are evaluated: by default in this process, by as many threads as help.
    """
    _check_effort(memory, batch_size)
    notes = _warn_if_flattened(analysis.readout, analysis.net.scores)
    started, before = time.perf_counter(), _work(analysis.abilities)
    check_progress(progress)
    path = None if checkpoint is None else as_path(checkpoint, "the checkpoint")
    with Journal(path, analysis.identity, first_state(analysis, memory, batch_size)) as journal:
        if journal.tiles:
            _check_base(analysis, journal.state.get("base"), f"for the image in the run that left {path}")
        tiles = analysis.tiles(int(journal.state["tile"]))
        windows_before = windows_done(tiles, journal)
        batch = executor(analysis, tiles, journal, progress)
        results = [journal.tiles[number] for number in range(len(tiles))]
    _check_base(analysis, analysis.readout.base, "for the image at the beginning of the run")
    effort = {"seconds": time.perf_counter() - started, "windows_before": windows_before, "batch_size": batch}
    return _assemble(analysis, results, notes, {**effort, **_effort(analysis, before)})


def _check_base(analysis: Analysis, base: Any, when: str) -> None:
    """Refuse to put tiles together if the net gives another ``base`` (T,) for the image than it did."""
    if base is not None and analysis.steady:  # files of earlier releases have none
        pixels, blob, units = analysis.pixels, analysis.blob, analysis.units
        check_again(analysis.net, pixels, blob, units, np.asarray(base, np.float64), analysis.readout.base, when=when)


def _check_effort(memory: int, batch_size: int | None) -> None:
    if not isinstance(memory, (int, float, np.number)) or not np.isfinite(memory):
        raise SettingsError(f"memory = {memory!r}: want a number of bytes, such as 4e9.")
    if batch_size is not None and not (isinstance(batch_size, (int, np.integer)) and batch_size >= 1):
        raise SettingsError(f"batch size {batch_size!r}: want at least 1.")


def windows_done(tiles: Sequence[slice], journal: Journal) -> int:
    """How many windows lie in the tiles that a journal holds."""
    return sum(tiles[number].stop - tiles[number].start for number in journal.tiles)


def first_state(plan: Plan, memory: int, batch_size: int | None) -> Json:
    """How a run is cut up, which a continued one takes over, and what it set out from.

    The batch size, evaluations in a tile, bytes that the run may take, and the units' values for the image.
    """
    base = plan.readout.base.tolist()
    batch, tile = plan.batch(memory, batch_size), plan.tile(memory)
    return {"batch_size": batch, "tile": tile, "memory": int(memory), "base": base}


def _work(abilities: NetAbilities) -> tuple[float, float]:
    """Multiply-adds that the net has done so far, and those of dense passes; 0 where it does not count them."""
    work = abilities.work
    return (0.0, 0.0) if work is None else (work.done, work.dense)


def _effort(plan: Plan, before: tuple[float, float]) -> Json:
    """JSON-able: how a net that counts its work has evaluated, and the part of dense passes' multiply-adds it did."""
    if plan.abilities.evaluation is None:
        return {}
    done, dense = (after - first for after, first in zip(_work(plan.abilities), before))
    evaluation = {"evaluation": plan.abilities.evaluation(plan.blob, start=plan.settings.start)}
    return {**evaluation, "work_share": done / dense} if dense > 0 else evaluation


def _warn_if_flattened(readout: Readout, scores: str | None) -> list[str]:
    if readout.measure != "evidence" or readout.against is not None:  # the log of a probability near 1 is left as it is
        return []
    highest = readout.base.max()
    if highest < 0.5 or evidence.kept(highest, instances=readout.instances, classes=readout.classes) >= LEFT:
        return []
    note = f"The net is sure (p = {highest:.5f}): Laplace's correction flattens the weight of evidence."
    if scores:
        note += f" Explain the pre-softmax blob instead: blob={scores!r}."
    warn(note, ConfidenceWarning)
    return [note]


def _assemble(
    analysis: Analysis, tiles: Sequence[tuple[np.ndarray, ...]], notes: list[str], effort: Json
) -> Explanation:
    values = np.concatenate([tile[0] for tile in tiles])
    variances = np.concatenate([tile[1] for tile in tiles])
    where: dict[str, Any] = {"window": analysis.settings.sides, "shape": analysis.ground.shape[-2:]}
    readout, targets = analysis.readout, _sources(analysis)
    if analysis.interpolates:
        maps = interpolated(evidence.Difference(values, variances), analysis.origins, **where)
    else:
        relevance = windows.spread(values, analysis.origins, **where)
        maps = Spread(relevance, windows.spread_error(variances, analysis.origins, **where))
    return Explanation(
        relevance=maps.relevance,
        stderr=maps.stderr,
        targets=targets,
        base=np.repeat(readout.base[: len(readout.targets)], len(targets) // len(readout.targets)),
        pixels=analysis.pixels,
        unit="bits" if readout.measure == "evidence" else "activation",
        settings=analysis.record,
        provenance={**analysis.identity, **effort, "versions": versions()},
        notes=notes + [*analysis.notes, *_holes(analysis, values), *_sampler_notes(analysis)],
        image=analysis.seen.image,
        frame=analysis.seen.frame,
    )


def _holes(analysis: Analysis, values: np.ndarray) -> list[str]:
    """What is said of windows whose draws the net had no number for; an ExplanationError if there are no others."""
    missing = ~np.isfinite(values).all(axis=1)
    if not missing.any():
        return []
    count, windows_in_all = int(missing.sum()), len(missing)
    says = f"the net gave NaN or infinity for draws in {count} of {windows_in_all} windows"
    if not np.isfinite(values).any():
        raise ExplanationError(f"{says}: there is nothing to make a map of. Look at the net for draws like these.")
    note = f"{says[0].upper()}{says[1:]}: the pixels under these are not known, and stay NaN in the map."
    warn(note, InputWarning)
    return [note]


def _sources(plan: Plan) -> list[Target]:
    """A target for each map: with channels apart, each of the plan's for each channel."""
    start = plan.settings.start
    names: list[str | None] = [start]
    if plan.settings.channels_apart:
        names = [f"{start or 'channel'}[{channel}]" for channel in range(len(plan.ground))]
    return [replace(target, source=name) for target in plan.targets for name in names]


def _sampler_notes(analysis: Analysis) -> list[str]:
    notes, population = list(analysis.drawing.notes), analysis.population
    if population == 0:
        return notes  # of the sampler's own, one says what stood in the windows
    if population is not None and population <= analysis.settings.samples:
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
