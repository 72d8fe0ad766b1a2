"""Prediction difference analysis: Algorithm 1 of Zintgraf, Cohen and Welling (2016), over tiles of windows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np

from . import evidence, windows
from .abilities import NetAbilities
from .assembly import assemble, holes
from .budget import room, within
from .classes import scores_behind
from .conditions import changes, conditions
from .errors import ConfidenceWarning, InputWarning, SettingsError, warn
from .examination import check_again
from .executors.here import run_tiles
from .executors.spread import executor_with, worthwhile
from .executors.tiles import Executor
from .explanation import Explanation
from .files import as_path
from .journal import Journal
from .plan import Analysis, Plan, make_plan
from .protocols import Json, Net, Progress, Sampler, UnitLike
from .readout import Readout
from .refinement import missed, reached, stage_told, stages, whole
from .settings import Settings
from .shapes.labels import SegmentsLike
from .units import check_progress
from .workers.choice import WorkersLike, chosen

#: A reader is warned of a class that the net is sure of where Laplace's correction leaves less than this of small
#: changes in the evidence: with ILSVRC's N and K above a probability of 0.9988.
LEFT = 0.6


def explain(
    net: Net,
    image: np.ndarray,
    sampler: Sampler,
    *,
    window: windows.WindowLike = 10,
    samples: int = 20,
    stride: windows.SidesLike = 1,
    blob: str | None = None,
    units: Sequence[UnitLike] | None = None,
    channels: Sequence[int] | None = None,
    top: int | None = None,
    against: UnitLike | None = None,
    measure: str | None = None,
    seed: int = 0,
    training_instances: int | None = None,
    memory: int | None = None,
    batch_size: int | None = None,
    start: str | None = None,
    channels_apart: bool = False,
    repeat: int = 1,
    between: str | None = None,
    until: float | None = None,
    budget: float | None = None,
    region: Sequence[int] | None = None,
    segments: SegmentsLike | None = None,
    mask: np.ndarray | None = None,
    progress: Progress | None = None,
    renew: Callable[[Explanation], object] | None = None,
    checkpoint: str | Path | None = None,
    workers: WorkersLike | None = None,
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
        The paper's k; a tuple for windows that are not square, in which "all" is the whole side: (8, "all") are rows.
    samples : int
        The paper's S.
    stride : int or (rows, columns)
        The step between windows, 1 in the paper; above the window's side only with ``between="linear"``,
        ``until`` or ``budget``.
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
    memory : int, optional
        Bytes that the run may take, the program itself and the sampler apart, by default 4 GB or what
        `budget.within` allows; sets the batch size, where ``batch_size`` does not. A net that takes more for a single
        image is refused before it computes.
    start : str, optional
        A hidden blob whose activations are taken away instead of pixels, equation (6). The sampler draws activations
        (see `samplers.hidden`), windows lie on the blob's maps, and so does the relevance. Takes k = 1 on a vector.
    channels_apart : bool
        Take each channel of a window away alone, for a map per target and channel; with ``window=1``, each unit.
    repeat : int
        Of a net that draws by itself (dropout, noise): how many passes the values of each draw are averaged over. The
        untouched image's are averaged over ``samples`` times as many, since their error shifts the whole map.
    between : {"linear", "none"}, optional
        At a stride above 1, "linear", the default, interpolates the windows' evidence to all places between, and
        averages as if all had been evaluated: nearer to the map of stride 1 for the same work. The standard error is
        that of the draws; what interpolation leaves out is told beside it. "none" averages the windows that there are.
    until : float, optional
        Refine in stages, from a coarse grid on, until every target's estimated ``reliability`` is at least this, such
        as 0.99, or ``stride`` and ``samples`` have been reached. The result's settings hold the stride and the samples
        that it ended with; `explain` with these gives the same map.
    budget : float, optional
        The same until the next stage would not end within so many seconds; the first is evaluated anyhow.
    region : (row, column, height, width), optional
        The part of the picture to which windows are kept: its top-left corner and its size, in pixels of ``image`` as
        it was given, be that an image or what the net sees. Windows lie wholly in it; elsewhere the map is NaN.
    segments : (H, W) int array or str, optional
        Segments to take away instead of windows, each as a whole; ``window`` says nothing then, and
        ``stride`` and ``between`` are left out. All pixels of a segment have one number; those of -1 are in none, and
        NaN in the map. The array is of ``image`` as it was given. "slic" or "slic:50" are about 100 or 50 segments that
        scikit-image's SLIC makes. Wants a sampler that fills any shape: `MarginalSampler` or `GreyPatch`.
    mask : (H, W) bool array, optional
        Where in a map of classes, as nets for segmentation give it: each target is the mean of its class or channel
        over these places; of probabilities it is the mean probability whose evidence is weighed. As large as the
        picture, whose view it is brought through, as what the net sees, or as the blob's maps, in this order.
    progress : callable, optional
        Called with (windows done, windows in all), with ``until`` and ``budget`` in all stages so far.
    renew : callable, optional
        Called with the `Explanation` after each stage except the last; the last one is returned.
    checkpoint : path, optional
        File that keeps finished tiles; a second call with the same settings goes on from there, with the memory and the
        batch size that it was given itself. It is left in place. An ExplanationError while another run works on it.
    workers : int, "auto" or Workers, optional
        So many processes of this machine evaluate tiles, each within ``memory``; net and sampler have to be picklable.
        "auto" takes as many as help: one, this process, for nets that threads share. By default this process evaluates
        all, unless there is a ``dask.distributed.Client``, whose workers do it then.

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

    Examples
    --------
    >>> import torch
    >>> import predicdiff as pd
    >>> module = torch.nn.Sequential(torch.nn.AvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(12, 2))
    >>> net = pd.load_net(module, input_shape=(3, 8, 8), preprocessing=pd.Preprocessing(raw_scale=1.0))
    >>> corpus = np.random.default_rng(0).uniform(0, 255, (20, 3, 8, 8))
    >>> result = pd.explain(net, corpus[0], pd.MarginalSampler(corpus[1:]), window=3, samples=4, units=[0, 1])
    >>> result.relevance.shape, [target.title for target in result.targets], result.unit
    ((2, 8, 8), ['prob[0]', 'prob[1]'], 'bits')
    """
    settings = Settings(
        window=window, samples=samples, stride=stride, blob=blob, units=units, channels=channels, top=top,
        against=against, measure=measure, seed=seed, training_instances=training_instances, start=start,
        channels_apart=channels_apart, repeat=repeat, between=between, until=until, budget=budget,
        region=region, segments=segments, mask=mask,
    )  # fmt: skip
    memory = checked_effort(memory, batch_size)
    with within(memory):
        analysis = make_plan(net, image, settings).with_sampler(sampler)
        with chosen(workers, lambda: worthwhile(analysis.abilities, 1)) as there:
            return run(
                analysis, memory=memory, batch_size=batch_size, progress=progress, renew=renew, checkpoint=checkpoint,
                executor=executor_with(there, analysis.net, analysis.sampler),
            )  # fmt: skip


def run(
    analysis: Analysis,
    *,
    memory: int | None = None,
    batch_size: int | None = None,
    progress: Progress | None = None,
    checkpoint: str | Path | None = None,
    renew: Callable[[Explanation], object] | None = None,
    executor: Executor = run_tiles,
) -> Explanation:
    """Work through an analysis' tiles, those of an interrupted run excepted; parameters as for `explain`.

    ``executor`` says where tiles are evaluated: by default in this process, by as many threads as help.
    """
    memory = checked_effort(memory, batch_size)
    check_progress(progress)
    path = None if checkpoint is None else as_path(checkpoint, "the checkpoint")
    with within(memory), Journal(path, analysis.tiles_identity, first_state(analysis, memory, batch_size)) as journal:
        return go_on(analysis, journal, progress=progress, renew=renew, executor=executor)


def go_on(
    analysis: Analysis,
    journal: Journal,
    *,
    progress: Progress | None = None,
    renew: Callable[[Explanation], object] | None = None,
    executor: Executor = run_tiles,
) -> Explanation:
    """Evaluate the tiles that an open journal lacks, cut up as its state says (`first_state`); else as `run`."""
    notes = _warn_if_flattened(analysis.readout, scores_behind(analysis.net, analysis.blob))
    started, before = time.perf_counter(), _work(analysis.abilities)
    refines = analysis.settings.refines
    evaluate = stages if refines else whole
    told: list[Json] = []
    _check_taken_up(analysis, journal)
    journal.made_under(conditions(analysis.abilities, int(journal.state["batch_size"])))
    for stage in evaluate(analysis, journal, executor, progress):
        _check_base(analysis, analysis.readout.base, "for the image at the beginning of the run")
        explanation = assemble(stage.analysis, stage.difference, identity=analysis.identity, notes=notes)
        seconds = time.perf_counter() - started
        effort = {"seconds": seconds, "windows_before": stage.windows_before, "batch_size": stage.batch}
        explanation.provenance.update({**effort, **_effort(analysis, before)})
        if refines:
            told.append(stage_told(explanation))
            explanation.provenance["stages"] = list(told)
        if not stage.coming or reached(explanation, stage, analysis.settings, seconds):
            break
        explanation.provenance["finished"] = False
        if renew is not None:
            renew(explanation)
    for note in holes(stage.difference.value):
        warn(note, InputWarning)
    explanation.notes.extend([*missed(explanation, analysis.settings), *changes(journal.made.values())])
    return explanation


def _check_taken_up(analysis: Analysis, journal: Journal) -> None:
    """Refuse tiles of an earlier run that are too large for this one's memory, or were made of another base."""
    if journal.tiles:
        analysis.check_tile(journal.state["tile"], journal.state["memory"])
        _check_base(analysis, journal.state.get("base"), f"for the image in the run that left {journal.path}")


def _check_base(analysis: Analysis, base: Any, when: str) -> None:
    """Refuse to put tiles together if the net gives another ``base`` (T,) for the image than it did."""
    if base is not None and analysis.steady:  # files of earlier releases have none
        pixels, blob, units = analysis.pixels, analysis.blob, analysis.units
        check_again(analysis.net, pixels, blob, units, np.asarray(base, np.float64), analysis.readout.base, when=when)


def checked_effort(memory: int | None, batch_size: int | None) -> int:
    """Bytes that a run may take; a SettingsError unless these are numbers that a run can be given."""
    memory = room() if memory is None else memory
    if not isinstance(memory, (int, float, np.number)) or not np.isfinite(memory):
        raise SettingsError(f"memory = {memory!r}: want a number of bytes, such as 4e9.")
    if batch_size is not None and not (isinstance(batch_size, (int, np.integer)) and 1 <= batch_size < 2**31):
        raise SettingsError(f"batch size {batch_size!r}: want at least 1, and below 2^31.")
    return int(memory)


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
        note += f" Explain the pre-softmax blob instead: blob={scores!r} (--blob {scores})."
    warn(note, ConfidenceWarning)
    return [note]
