"""The methods that are held against each other: what each asks of a net, and its map after so many evaluations.

References
----------
V. Petsiuk, A. Das, K. Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018.
S. M. Lundberg, S.-I. Lee, "A Unified Approach to Interpreting Model Predictions", NIPS 2017.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Sequence

import numpy as np
import torch
from skimage.segmentation import slic
from torch import Tensor

from predicdiff import windows
from predicdiff.between import Grid
from predicdiff.plan import Analysis, Plan
from predicdiff.precision import interpolated

from .presets import WINDOW

#: Inputs in a batch of dense passes: on a processor larger ones are slower.
BATCH = 16
#: RISE's grid of cells, and the chance that a cell stays as it is.
CELLS, KEPT = 7, 0.5
#: How many superpixels KernelSHAP has, or nearly so many: as in the SHAP library's own example of images.
SUPERPIXELS = 50


@dataclass(frozen=True, eq=False)
class Question:
    """What all methods are asked to explain: the first unit of a plan, such as a class's probability."""

    plan: Plan

    @cached_property
    def inputs(self) -> np.ndarray:
        """(C, H, W): the image as the net takes it."""
        encoded: np.ndarray = self.plan.net.encode(self.plan.pixels)
        return encoded

    @cached_property
    def grey(self) -> np.ndarray:
        """(C, H, W): grey as the net takes it, the same as occlusion's."""
        pixels = np.full_like(self.plan.pixels, self.plan.tones.grey)
        encoded: np.ndarray = self.plan.net.encode(pixels)
        return encoded

    def values(self, inputs: np.ndarray) -> np.ndarray:
        """The unit's (b,) for a batch (b, C, H, W), by a dense pass."""
        blob, (channel, *_place) = self.plan.blob, self.plan.units[0]
        answers: np.ndarray = self.plan.net.forward(np.asarray(inputs, np.float32), [blob])[blob]
        return answers.reshape(len(inputs), answers.shape[1], -1).mean(axis=2)[:, channel]


def rise(question: Question, number: int, seed: Sequence[int]) -> np.ndarray:
    """RISE's map (H, W) after so many evaluations: the mean over masks of mask times value.

    What a mask takes away becomes 0 in the net's input, the mean colour. The mean is divided by what is expected to be
    left of a pixel, as in the method's equation 6, so that maps of equally many masks average to that of all.
    """
    generator, total = np.random.default_rng(seed), np.zeros(question.inputs.shape[1:])
    for start in range(0, number, BATCH):
        masks = rise_masks(generator, min(BATCH, number - start), total.shape)
        total += np.tensordot(question.values(question.inputs * masks[:, None]), masks, 1)
    return total / (KEPT * number)


def rise_masks(
    generator: np.random.Generator, number: int, shape: tuple[int, ...], *, cells: int = CELLS, kept: float = KEPT
) -> np.ndarray:
    """Masks (n, H, W) of 0 to 1: random grids, enlarged bilinearly by one cell more than needed, and cut at random."""
    lengths = [-(-size // cells) for size in shape]
    sides = [enlarging(cells, length) for length in lengths]
    grids = (generator.random((number, cells, cells)) < kept).astype(np.float64)
    starts = [generator.integers(length, size=number) for length in lengths]
    rows, columns = (
        np.stack([side[start : start + size] for start in each]) for side, each, size in zip(sides, starts, shape)
    )
    return (rows @ grids @ columns.transpose(0, 2, 1)).astype(np.float32)


def enlarging(cells: int, length: int) -> np.ndarray:
    """Weights ((cells + 1) * length, cells) by which a row of cells is enlarged bilinearly."""
    pixels = (cells + 1) * length
    places = (np.arange(pixels) + 0.5) * cells / pixels - 0.5
    return np.stack([np.interp(places, np.arange(cells), cell) for cell in np.eye(cells)], axis=1)


def superpixels(plan: Plan) -> np.ndarray:
    """Features (H, W), numbered from 0: some fifty superpixels by SLIC, as in the SHAP library's example of images."""
    tones = plan.tones
    image = np.clip((plan.pixels - tones.black) / (tones.white - tones.black), 0, 1).transpose(1, 2, 0)
    found: np.ndarray = slic(image, n_segments=SUPERPIXELS, compactness=30, sigma=3, start_label=0)
    return found


def captum_attr() -> Any | None:
    """Captum's methods; None where it is not installed."""
    try:
        return importlib.import_module("captum.attr")
    except ImportError:
        return None


def kernel_shap(question: Question, features: np.ndarray, number: int, seed: int) -> dict[str, np.ndarray]:
    """So many evaluations of Captum's KernelSHAP: ``kept`` (n, F), which features stayed, ``answers`` and ``weights``.

    Features that are taken away become grey. What Captum has scikit-learn solve, `shapley` does, for any part of them.
    """
    seen = Seen()
    method = captum_attr().KernelShap(lambda inputs: torch.from_numpy(question.values(inputs.numpy())))
    method.interpretable_model = seen
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        method.attribute(
            torch.from_numpy(question.inputs[None]),
            baselines=torch.from_numpy(question.grey[None]),
            feature_mask=torch.from_numpy(features[None, None].astype(np.int64)),
            n_samples=number,
            perturbations_per_eval=BATCH,
        )
    return seen.data


class Seen:
    """What Captum takes for its interpretable model: it fits nothing, and keeps the data that it was given."""

    data: dict[str, np.ndarray]

    def fit(self, loader: Any) -> None:
        """Keep what a loader has in its one batch."""
        ((kept, answers, weights),) = loader
        self.data = {"kept": kept.numpy() > 0, "answers": answers.numpy(), "weights": weights.numpy()}

    def representation(self) -> Tensor:
        """Zeros (1, F)."""
        return torch.zeros(1, self.data["kept"].shape[1])


def shapley(kept: np.ndarray, answers: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Coefficients (F,) of the weighted linear regression of answers (n,) on which features were kept (n, F)."""
    design = np.hstack([np.ones((len(kept), 1)), kept])
    root = np.sqrt(weights.astype(np.float64))
    solved: np.ndarray = np.linalg.lstsq(design * root[:, None], answers * root, rcond=None)[0]
    return solved[1:]


def captum_occlusion(question: Question, stride: int) -> tuple[np.ndarray, int]:
    """The map (H, W) of Captum's Occlusion with grey windows, and how many evaluations it asked for."""
    asked: list[int] = []

    def forward(inputs: Tensor) -> Tensor:
        asked.append(len(inputs))
        return torch.from_numpy(question.values(inputs.numpy()))

    colours = len(question.inputs)
    attribution = (
        captum_attr()
        .Occlusion(forward)
        .attribute(
            torch.from_numpy(question.inputs[None]),
            sliding_window_shapes=(colours, WINDOW, WINDOW),
            strides=(colours, stride, stride),
            baselines=torch.from_numpy(question.grey[None]),
            perturbations_per_eval=BATCH,
        )
    )
    return attribution[0, 0].numpy(), sum(asked)


@dataclass(frozen=True)
class Square:
    """A part of the image in which our maps are made, since the true one takes too long for the whole."""

    top: int
    left: int
    side: int

    @classmethod
    def middle(cls, shape: tuple[int, ...], side: int) -> Square:
        """In the middle of an image (H, W)."""
        top, left = ((size - side) // 2 for size in shape)
        return cls(top, left, side)

    def cut(self, map_: np.ndarray) -> np.ndarray:
        """What lies in it of maps (..., H, W)."""
        return map_[..., self.top : self.top + self.side, self.left : self.left + self.side]

    def origins(self, shape: tuple[int, ...], strides: windows.Sides) -> np.ndarray:
        """Of the windows (n, 2) of an image's grid from which all places of windows that touch it are interpolated."""
        starts = []
        for size, first, stride in zip(shape, (self.top, self.left), strides):
            every = windows.positions(size, WINDOW, stride)
            lowest, highest = max(0, first - WINDOW + 1), min(size - WINDOW, first + self.side - 1)
            begin, end = np.searchsorted(every, lowest, "right") - 1, np.searchsorted(every, highest)
            starts.append(every[begin : end + 1])
        return np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 2)


def our_map(analysis: Analysis, square: Square, answers: np.ndarray) -> np.ndarray:
    """Relevance in a square, from the unit's values (n, S, 1) at its windows: as a map of the whole image has it."""
    origins = square.origins(analysis.pixels.shape[-2:], analysis.settings.strides)
    corner = origins[0]
    shape = tuple((origins[-1] + WINDOW - corner).tolist())
    difference = analysis.difference(answers[None])
    found = interpolated(Grid.of(difference, origins - corner, window=(WINDOW, WINDOW), shape=shape))
    return Square(square.top - int(corner[0]), square.left - int(corner[1]), square.side).cut(found.relevance[0])
