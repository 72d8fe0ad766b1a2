"""What `explain` needs of a net and of a sampler, and no more: any object with these methods serves."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, NamedTuple, Protocol, Sequence, Tuple, Union

import numpy as np

from .noise import Noise
from .tones import Tones

#: An index into one blob of one image; what it leaves over is averaged: ``(281,)`` is a class,
#: ``(3, 10, 12)`` one unit of a map, ``(3,)`` the mean over map 3.
Unit = Tuple[int, ...]
#: A class may be given by its name too.
UnitLike = Union[int, str, Sequence[int]]

#: Sides of a window or a context, one for each axis; a square one may be given by one number.
Sides = Tuple[int, ...]
SidesLike = Union[int, Sequence[int]]

#: Names and what JSON can hold: numbers, texts, lists and such dicts.
Json = Dict[str, Any]

#: Called with how many of what is done, and how many there are in all.
Progress = Callable[[int, int], None]

#: What runs a Caffe net.
ENGINES = ("torch", "caffe")

#: What a net's output may hold: scores whose softmax, or each one's sigmoid, is the probability; probabilities; or
#: numbers of another kind.
OUTPUT_KINDS = ("logits", "sigmoid", "probabilities", "activation")

#: How products are computed: as IEEE has it; with TF32's 11 bits on a GPU's tensor cores; in bfloat16's 8.
PRECISIONS = ("float32", "tf32", "bfloat16")


class Head(NamedTuple):
    """One of a net's outputs of classes.

    Attributes
    ----------
    scores, output : str or None
        Names of the blob of scores and of that of probabilities, as a `Net` has them.
    outcomes : int, optional
        K of Laplace's correction, where it is not the number of probabilities: 2 for a sigmoid.
    labels : sequence of str, optional
        One for each class.
    """

    scores: str | None = None
    output: str | None = None
    outcomes: int | None = None
    labels: Sequence[str] | None = None

    @property
    def blob(self) -> str | None:
        """The blob of classes that is looked at by default: the probabilities, else the scores; None without either."""
        return self.output or self.scores


class Net(Protocol):
    """A classifier seen from outside: named blobs between pixels and probabilities."""

    name: str
    input_shape: tuple[int, int, int]
    scores: str | None
    output: str | None
    labels: Sequence[str] | None
    training_instances: int

    @property
    def blobs(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of all blobs, without the batch axis, in the order they are computed."""

    @property
    def provenance(self) -> Json:
        """What identifies the net: engine, definition, hash of the weights, preprocessing."""

    def view(self, image: np.ndarray) -> np.ndarray:
        """RGB image (H, W, 3) -> pixels (C, H, W) float32, the part the net sees."""

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels (..., C, H, W) -> the net's input, same shape, float32."""

    def forward(self, inputs: np.ndarray, blobs: Sequence[str]) -> dict[str, np.ndarray]:
        """Inputs (b, C, H, W) -> {blob: (b, ...)} float32."""

    def gradient(self, inputs: np.ndarray, *, blob: str, unit: UnitLike) -> np.ndarray:
        """Gradient (C, H, W) of one unit of ``blob`` with respect to one input (C, H, W)."""

    def evaluate(
        self,
        pixels: np.ndarray,
        origins: np.ndarray,
        patches: np.ndarray,
        *,
        blob: str,
        units: Sequence[Unit],
        batch_size: int,
    ) -> np.ndarray:
        """Values (n, S, units) float64 of ``units`` with ``patches`` (n, S, C, h, w) set in at ``origins`` (n, 2)."""

    def bytes_per_input(self, blob: str) -> int:
        """Memory that one input of a batch takes on its way to ``blob``, estimated from above."""


class Sampler(Protocol):
    """Says what else could have stood in a window.

    While a net evaluates, ``draw`` is called from other threads, but never twice at once.
    """

    def draw(
        self, pixels: np.ndarray, origins: np.ndarray, *, window: SidesLike, samples: int, seed: int
    ) -> np.ndarray:
        """Patches (n, S', C, h, w) float32 for windows at ``origins``; S' < S only where no more exist.

        Each window has a random stream of its own, keyed by (seed, row, column): what is drawn for one does
        not depend on which others are asked for at the same time. ``window`` is one number where the window is square,
        and a tuple (rows, columns) for others, h and w.
        """


# What a net or a sampler may do beyond the least. `abilities` looks for it, and says what is taken where it is missing.


class HasPreprocessing(Protocol):
    """A net whose view knows the way back to the original image."""

    preprocessing: Any


class KnowsOutcomes(Protocol):
    """A net that says K of Laplace's correction, where it is not the number of probabilities: 2 for a sigmoid."""

    outcomes: int | None


class HasHeads(Protocol):
    """A net that says of all its outputs of classes what `Net` says of the first."""

    class_heads: Sequence[Head]


class TakesNoise(Protocol):
    """A net that makes patches of a `noise.Noise` by itself: if this is true, `evaluate` takes one in their place."""

    takes_noise: bool


class TakesMasks(Protocol):
    """A net whose `evaluate` takes a `units.Masked` among its units, and averages over its places, if this is true."""

    takes_masks: bool


class PrefersBatch(Protocol):
    """A net that says beyond how many inputs in a batch more gain nothing."""

    preferred_batch: int


class HasPrecision(Protocol):
    """A net that computes products as one of `PRECISIONS` says, and can be set to another."""

    precision: str


class HasRounding(Protocol):
    """A net that says by how much its own numbers are rounded, as a part of their value: 2**-24 is float32's."""

    rounding: float


class HasWeights(Protocol):
    """A net that shows what it has learnt, and makes copies of itself that have learnt something else."""

    @property
    def learnt(self) -> Sequence[str]:
        """Names of the layers that have learnt weights, in the order in which they are computed."""

    @property
    def weights(self) -> Mapping[str, Sequence[np.ndarray]]:
        """Each layer's weights."""

    def with_weights(self, weights: Mapping[str, Sequence[np.ndarray]]) -> Net:
        """A copy of the net with other weights in these layers."""


class Budgeted(Protocol):
    """A net that says what `evaluate` takes."""

    def bytes_needed(self, blob: str, *, start: str | None, window: SidesLike) -> tuple[int, int]:
        """Bytes that are taken once, and bytes for each input of a batch, estimated from above."""


class HiddenStarts(Protocol):
    """A net whose `evaluate` has a keyword ``start``: the hidden blob that patches are set into."""

    def check_downstream(self, start: str, blob: str) -> None:
        """Raise an error of ours if ``blob`` does not depend on ``start``."""


class Work(Protocol):
    """Multiply-adds done so far, and how many dense passes would have taken."""

    done: float
    dense: float


class CountsWork(Protocol):
    """A net that counts the multiply-adds of its evaluations."""

    work: Work


class TellsEvaluation(Protocol):
    """A net that says how it evaluates."""

    def evaluation(self, blob: str, *, start: str | None = None) -> str:
        """How `evaluate` works, in words."""


class ComputesChanges(Protocol):
    """A net whose `evaluate` may compute only what windows change, and so take less time than dense passes."""

    incremental: bool


class RunsAlone(Protocol):
    """A net that can compute its inputs one at a time, where the answer for one depends on the others in its batch."""

    #: Whether it does.
    alone: bool

    def one_by_one(self) -> Net:
        """The same net with ``alone`` true."""


class SharedByThreads(Protocol):
    """A net whose `evaluate` and `forward` several threads may call at once, and gain by it."""

    def evaluating_threads(self) -> int:
        """How many threads may call `evaluate` at once; 0 if only one should."""

    def compute_with(self, count: int) -> None:
        """Have the thread that calls this, which ends when its work is done, compute with so many; others as before."""


class TellsComputation(Protocol):
    """A net that says what computes it, as far as the last bits of its values depend on that."""

    def computed_by(self) -> Json:
        """JSON-able: versions by name, ``device`` if it is no processor, ``threads`` of torch's for an evaluation."""


class CanBeRenewed(Protocol):
    """A net that can be made anew of what it stands for, should that have changed since."""

    def changed(self) -> bool:
        """Whether it is known to have changed; what is not seen so is found where `evaluate` is tried out."""

    def renewed(self) -> Net:
        """A net of the same source as it is now."""


class HasDouble(Protocol):
    """A net that can be had in float64, to tell rounding from a real difference."""

    def in_double(self) -> Net | None:
        """A copy whose `forward` computes in float64 and gives it; None where that is not to be had."""


class HasPopulation(Protocol):
    """A sampler whose draws are a choice without repetition; the standard error is corrected for it."""

    def population(self, pixels: np.ndarray) -> int:
        """From how many patches the draws are chosen; 0 where nothing is left to chance."""


class DrawnByThreads(Protocol):
    """A sampler whose ``draw``, ``noise`` and ``fill`` may be called by several threads at once, if this is true."""

    drawn_by_threads: bool


class DrawsFew(Protocol):
    """A sampler that has no more draws for a window than so many, whatever is asked: one, where nothing is drawn."""

    most_draws: int


class MakesNoise(Protocol):
    """A sampler that can leave it to the net to make its patches."""

    def noise(self, pixels: np.ndarray, origins: np.ndarray, *, window: SidesLike, samples: int, seed: int) -> Noise:
        """A `noise.Noise` of which `draw`'s patches are made."""


class FillsSegments(Protocol):
    """A sampler whose draws at a pixel depend neither on the window's shape nor on what lies around it."""

    def fill(
        self, pixels: np.ndarray, origins: np.ndarray, *, window: SidesLike, samples: int, seed: int, keys: np.ndarray
    ) -> np.ndarray:
        """As ``draw``, but from the random streams of the windows at ``keys`` (n, 2)."""


class Settles(Protocol):
    """A sampler that is told among which values its draws are to stand, before it draws."""

    def among(self, tones: Tones) -> Sampler:
        """Itself, or the sampler that suits these values; refuses or warns where its own are of another range."""


class HasProvenance(Protocol):
    """A sampler that says what it was fitted on; without it, another of its class may go on with unfinished tiles."""

    provenance: Json


class HasNotes(Protocol):
    """A sampler with sentences for the reader of a result."""

    notes: Sequence[str]
