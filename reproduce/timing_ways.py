"""The ways of evaluating an image with windows replaced that are held against each other, and whether they agree."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from predicdiff.budget import MEMORY
from predicdiff.errors import PredicdiffError
from predicdiff.plan import Analysis
from predicdiff.targets import score_blob

from .timing_caffe import CaffeProcess
from .timing_nets import Forward, Timed, plain

#: Inputs in a batch of all ways but ours.
BATCH = 32
#: By how much scores may differ, as a part of the largest score and of the largest change that a window makes.
SCORES, CHANGES = 1e-3, 0.1
#: Windows, and draws of each, on which the ways are compared.
COMPARED, DRAWS = 2, 4

#: Units' values (n, S, T) of a blob, from corners (n, 2), patches (n, S, C, k, k) in pixels, blob and units.
Evaluate = Callable[[np.ndarray, np.ndarray, str, Sequence[Any]], np.ndarray]
#: Does its work once and says how many evaluations that were.
Turn = Callable[[], int]

#: Ways of our own, which take what an analysis gives them.
OWN = frozenset({"dense", "incremental"})
#: Ways that compute in a process of their own.
ELSEWHERE = frozenset({"pycaffe"})


class DisagreementError(PredicdiffError):
    """Two ways of evaluating the same inputs give different values."""


@dataclass(frozen=True)
class TimedWindows:
    """A net before an image: ``analysis`` has the windows that are timed, of which the slow ways take ``few``."""

    timed: Timed
    analysis: Analysis
    few: int

    def sampled(self, evaluate: Evaluate, count: int, *, own: bool = False) -> Turn:
        """Draw for the first ``count`` windows and evaluate them; our ``own`` ways have a GPU make its draws itself."""

        def turn() -> int:
            draws: Any = (self.analysis.sample if own else self.analysis.draw)(slice(0, count))
            evaluate(self.analysis.origins[:count], draws, self.analysis.blob, self.analysis.units)
            return count * draws.shape[1]

        return turn


def evaluators(
    timed: Timed, analysis: Analysis, caffe: CaffeProcess | str
) -> tuple[dict[str, Evaluate], dict[str, str]]:
    """Ways to evaluate given patches, and of those that there are not, why; ``caffe`` as `caffe_there` has it."""
    ways: dict[str, Evaluate] = {
        "naive": pasted(analysis, plain_values(plain(timed))),
        "dense": ours(analysis, incremental=False),
        "incremental": ours(analysis, incremental=True),
    }
    if isinstance(caffe, str):
        return ways, {"pycaffe": caffe}
    return {**ways, "pycaffe": by_caffe(analysis, caffe)}, {}


def turns(timed_windows: TimedWindows, evaluate: dict[str, Evaluate]) -> tuple[dict[str, Turn], dict[str, str]]:
    """What is timed, in the order of the rounds, and of those ways that there are not, why."""
    many = len(timed_windows.analysis.origins)
    timed = {way: timed_windows.sampled(function, many if way == "incremental" else timed_windows.few, own=way in OWN)
             for way, function in evaluate.items()}  # fmt: skip
    timed["sampling"] = timed_windows.sampled(lambda *_: np.empty(0), many, own=True)
    captum = occlusion(timed_windows)
    if isinstance(captum, str):
        return timed, {"captum": captum}
    return {**timed, "captum": captum}, {}


def ours(analysis: Analysis, *, incremental: bool) -> Evaluate:
    """Our net, with the batches that an analysis gives it."""
    net: Any = analysis.net
    net.incremental = incremental  # a dense pass takes many times the memory
    batch = analysis.batch(MEMORY)

    def evaluate(origins: np.ndarray, patches: np.ndarray, blob: str, units: Sequence[Any]) -> np.ndarray:
        net.incremental = incremental
        values: np.ndarray = net.evaluate(analysis.pixels, origins, patches, blob=blob, units=units, batch_size=batch)
        return values

    return evaluate


def pasted(analysis: Analysis, values: Callable[[Tensor, str], np.ndarray]) -> Evaluate:
    """Patches set into copies of the input, batch by batch, and all of each copy evaluated.

    ``values`` are a blob's (b, channels) for a batch of encoded inputs on the net's device.
    """
    net: Any = analysis.net
    whole = torch.from_numpy(net.encode(analysis.pixels)).to(net.device)

    def evaluate(origins: np.ndarray, patches: np.ndarray, blob: str, units: Sequence[Any]) -> np.ndarray:
        samples, k = patches.shape[1], patches.shape[-1]
        corners = np.repeat(origins, samples, axis=0).tolist()
        pieces = torch.from_numpy(np.concatenate(net.encode_patches(origins, patches))).to(net.device)
        batches = []
        for start in range(0, len(corners), BATCH):
            part = slice(start, start + BATCH)
            batch = whole.repeat(len(corners[part]), 1, 1, 1)
            for copy, piece, (row, column) in zip(batch, pieces[part], corners[part]):
                copy[:, row : row + k, column : column + k] = piece
            batches.append(values(batch, blob)[:, [unit[0] for unit in units]])
        return np.concatenate(batches).reshape(-1, samples, len(units))

    return evaluate


def plain_values(forward: Forward) -> Callable[[Tensor, str], np.ndarray]:
    """A blob's values (b, channels) by plain torch."""

    def values(batch: Tensor, blob: str) -> np.ndarray:
        with torch.inference_mode():
            by_channel: np.ndarray = _by_channel(forward(batch, blob)).cpu().numpy()
        return by_channel

    return values


@contextmanager
def caffe_there(timed: Timed, command: Sequence[str] | None) -> Iterator[CaffeProcess | str]:
    """The net with the same weights in a Python that has Caffe; a string where there is none.

    ``command`` starts that Python; by default it is this one, if pycaffe is installed here.
    """
    if timed.prototxt is None:
        yield "not a Caffe net"
    elif command is None and importlib.util.find_spec("caffe") is None:
        yield "not installed"
    else:
        text = timed.prototxt.read_text(encoding="utf-8")
        device = "cpu" if timed.net.device.type == "cpu" else None
        with CaffeProcess(command or [sys.executable], text, timed.net.weights, device) as caffe:
            alike = caffe.about["device"].startswith(timed.net.device.type)
            yield caffe if alike else "built for the CPU alone"


def by_caffe(analysis: Analysis, caffe: CaffeProcess) -> Evaluate:
    """Caffe's values, for patches that are encoded here."""
    net: Any = analysis.net
    inputs = net.encode(analysis.pixels)

    def evaluate(origins: np.ndarray, patches: np.ndarray, blob: str, units: Sequence[Any]) -> np.ndarray:
        return caffe.evaluate(
            inputs, origins, net.encode_patches(origins, patches), blob, [int(unit[0]) for unit in units]
        )

    return evaluate


def occlusion(timed_windows: TimedWindows) -> Turn | str:
    """Captum's Occlusion with plain torch and a grid of about as many windows; a string where it isn't installed."""
    try:
        captum: Any = importlib.import_module("captum.attr")
    except ImportError:
        return "not installed"
    analysis, timed = timed_windows.analysis, timed_windows.timed
    forward, net = plain(timed), timed.net
    seen: list[int] = []
    method = captum.Occlusion(_counting(forward, analysis.blob, seen))
    colours, *size = net.input_shape
    window, evaluations = analysis.settings.sides, timed_windows.few * analysis.settings.samples
    stride = [grid_stride(length, side, evaluations) for length, side in zip(size, window)]
    # Captum wants windows without gaps between them; how large they are makes no difference to its time.
    shape = [max(side, step) for side, step in zip(window, stride)]

    def turn() -> int:
        seen.clear()
        inputs = torch.from_numpy(net.encode(analysis.pixels)[None]).to(net.device)
        with torch.no_grad():
            attribution = method.attribute(
                inputs,
                sliding_window_shapes=(colours, *shape),
                strides=(colours, *stride),
                baselines=0,
                target=int(analysis.units[0][0]),
                perturbations_per_eval=BATCH,
            )
        attribution.cpu()
        return sum(seen)

    return turn


def grid_stride(length: int, window: int, evaluations: int) -> int:
    """The stride of a square grid of about ``evaluations`` windows on an image of this side."""
    return max(1, int((length - window) / max(1.0, np.sqrt(evaluations) - 1)))


def check_agreement(name: str, analysis: Analysis, evaluate: dict[str, Evaluate]) -> dict[str, float]:
    """How far scores of all ways lie from those of plain torch, at most.

    Returns
    -------
    {"scores": , "changes": }
        As a part of the largest score, and of the largest change that a window makes of any score.

    Raises
    ------
    DisagreementError
        If that is more than rounding can be.
    """
    net: Any = analysis.net
    blob = str(score_blob(net))
    units = [(channel,) for channel in range(net.blobs[blob][0])]
    origins, patches = analysis.origins[:COMPARED], analysis.draw(slice(0, COMPARED))[:, :DRAWS]
    base = net.forward(net.encode(analysis.pixels)[None], [blob])[blob].reshape(len(units), -1).mean(1)
    values = {way: function(origins, patches, blob, units) for way, function in evaluate.items()}
    usual = values.pop("naive")
    largest = {"scores": float(np.abs(usual).max()), "changes": float(np.abs(usual - base).max())}
    worst = {"scores": 0.0, "changes": 0.0}
    for way, others in values.items():
        gap = float(np.abs(others - usual).max())
        for of, most in (("scores", SCORES), ("changes", CHANGES)):
            part = gap / largest[of] if gap else 0.0
            if not part <= most:
                raise DisagreementError(
                    f"{name}: {way} evaluation differs from plain torch's by {part:.2g} of the largest of the {of}, "
                    f"want at most {most:g}: no time is reported for wrong values."
                )
            worst[of] = max(worst[of], part)
    return worst


def _counting(forward: Forward, blob: str, seen: list[int]) -> Callable[[Tensor], Tensor]:
    def counted(inputs: Tensor) -> Tensor:
        seen.append(len(inputs))
        return _by_channel(forward(inputs, blob))

    return counted


def _by_channel(values: Tensor) -> Tensor:
    return values.flatten(2).mean(2) if values.dim() > 2 else values
