"""What all nets on torch have in common: pixels in, named blobs out, gradients, windows' values."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, ContextManager

import numpy as np
import torch
from torch import Tensor

from .. import windows
from ..errors import BlobError, ImageError, SettingsError
from ..protocols import Unit, UnitLike
from ..units import as_map, check_unit, lookup
from .folding import folded
from .graph import Graph
from .incremental import Incremental, Work
from .preprocessing import Preprocessing
from .route import SHARE, Route
from .torch_device import check_precision, computing, exactly, memory_errors

#: Laplace's N where nothing else is said: the training images of ILSVRC 2012.
TRAINING_INSTANCES = 1_281_167


class TorchNet(ABC):
    """A net with named blobs on torch; its kinds say how blobs are computed (`_run`).

    Parameters
    ----------
    name : str
    input_shape : (C, H, W)
    blobs : {name: shape without the batch axis}, in the order in which they are computed
    scores, output : str or None
        Names of the pre-softmax blob and of the probabilities.
    preprocessing : Preprocessing, optional
        Without one, pixels are inputs.
    labels : sequence of str, optional
        One for each class.
    training_instances : int
        N of Laplace's correction.
    device : torch.device
    """

    #: K of Laplace's correction, where it is not the number of probabilities.
    outcomes: int | None = None

    #: Whether `evaluate` computes only what a window changes; the values are the same, rounding apart.
    incremental: bool = True

    #: In which order batches lie in memory.
    _layout: torch.memory_format = torch.contiguous_format

    def __init__(
        self,
        *,
        name: str,
        input_shape: tuple[int, int, int],
        blobs: Mapping[str, tuple[int, ...]],
        scores: str | None,
        output: str | None,
        preprocessing: Preprocessing | None,
        labels: Sequence[str] | None,
        training_instances: int | None,
        device: torch.device,
    ) -> None:
        if preprocessing is not None:
            preprocessing.check(input_shape)
        classes = blobs[output][0] if output is not None else None
        if labels is not None and classes is not None and len(labels) != classes:
            raise SettingsError(
                f"net {name!r} has {classes} classes, but {len(labels)} labels came: want one for each."
            )
        if training_instances is not None and training_instances < 1:
            raise SettingsError(f"training_instances = {training_instances}: want at least 1.")
        self.name = name
        self.input_shape = input_shape
        self.scores = scores
        self.output = output
        self.preprocessing = preprocessing
        self.labels: Sequence[str] | None = None if labels is None else list(labels)
        self.training_instances = TRAINING_INSTANCES if training_instances is None else training_instances
        self.device = device
        self._precision = "float32"
        self._blobs = dict(blobs)
        #: Multiply-adds of all calls of `evaluate` so far.
        self.work = Work()

    @property
    def blobs(self) -> dict[str, tuple[int, ...]]:
        """Shapes of all blobs, without the batch axis, in the order they are computed."""
        return dict(self._blobs)

    @property
    def precision(self) -> str:
        """In what products are computed: float32, tf32 (on a GPU) or bfloat16. Gradients are always float32."""
        return self._precision

    @precision.setter
    def precision(self, name: str) -> None:
        """Refuse what the device has not."""
        self._precision = check_precision(name, self.device)

    @property
    def provenance(self) -> dict[str, Any]:
        """Engine, definition, hash of the weights and preprocessing; JSON-able."""
        return {
            "name": self.name,
            "engine": "torch",
            "engine_version": str(torch.__version__),
            **({} if self.precision == "float32" else {"precision": self.precision}),
            "definition": self._definition(),
            "weights": self._weights_hash(),
            "preprocessing": None if self.preprocessing is None else self.preprocessing.provenance,
        }

    @property
    def preferred_batch(self) -> int:
        """Inputs in a batch beyond which more gain nothing; on the CPU more are slower (their maps leave the cache)."""
        return 20 if self.device.type == "cpu" else 1280

    def view(self, image: np.ndarray) -> np.ndarray:
        """RGB image (H, W, 3) -> pixels (C, H, W) float32, the part the net sees."""
        return (self.preprocessing or Preprocessing()).pixels(image, self.input_shape)

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels (..., C, H, W) -> the net's input, same shape, float32."""
        pixels = np.asarray(pixels)
        if pixels.shape[-3:] != self.input_shape:
            raise ImageError(f"net {self.name!r} takes pixels (..., {_inside(self.input_shape)}), not {pixels.shape}.")
        return self._encode(pixels, (0, 0))

    def preprocess(self, image: np.ndarray) -> np.ndarray:
        """RGB image (H, W, 3) -> the net's input (C, H, W): `view`, then `encode`."""
        return self.encode(self.view(image))

    def forward(self, inputs: np.ndarray, blobs: Sequence[str]) -> dict[str, np.ndarray]:
        """Blobs of a batch of inputs; only what they need is computed.

        Parameters
        ----------
        inputs : (b, C, H, W) array
        blobs : sequence of str

        Returns
        -------
        {blob: (b, ...) float32 array}
            Copies.

        Raises
        ------
        BlobError
            If the net has no such blob.
        ImageError
            If the inputs have another shape, are no numbers or not finite.
        OutOfMemoryError
        """
        self._look_up(blobs)
        array = self._checked(inputs, ("b", *self.input_shape))
        with memory_errors(), computing(self.precision, self.device), torch.inference_mode():
            values = self._run(self._tensor(array), list(blobs))
            return {blob: np.array(values[blob].to("cpu", torch.float32).contiguous().numpy()) for blob in blobs}

    def gradient(self, inputs: np.ndarray, *, blob: str, unit: UnitLike) -> np.ndarray:
        """Gradient of one unit with respect to one input.

        Parameters
        ----------
        inputs : (C, H, W) array
        blob : str
        unit : int or sequence of int
            An index into the blob; what it leaves over is averaged.

        Returns
        -------
        (C, H, W) float32 array

        Raises
        ------
        BlobError, ImageError, OutOfMemoryError
            As for `forward`; a BlobError too if the unit is out of range or has no gradient.
        """
        index = check_unit(lookup(self._blobs, blob), unit, blob=blob)
        array = self._checked(inputs, self.input_shape)
        with memory_errors(), exactly(), torch.inference_mode(False), torch.enable_grad():
            x = self._tensor(array[None]).requires_grad_()
            # A copy, since a module may work in place on its input and torch refuses that on a leaf.
            value = _at(self._run(x.clone(), [blob])[blob], index).mean()
            if not value.requires_grad:
                raise BlobError(f"blob {blob!r} of net {self.name!r} has no gradient: its module detaches it.")
            (gradient,) = torch.autograd.grad(value, x, allow_unused=True)
        return np.zeros(self.input_shape, np.float32) if gradient is None else np.array(gradient[0].cpu().numpy())

    def evaluate(
        self,
        pixels: np.ndarray,
        origins: np.ndarray,
        patches: np.ndarray,
        *,
        blob: str,
        units: Sequence[Unit],
        batch_size: int,
        start: str | None = None,
    ) -> np.ndarray:
        """Units' values with patches set into the pixels, or into a hidden blob.

        Parameters
        ----------
        pixels : (C, H, W) array
        origins : (n, 2) int array
            Top-left ``(row, column)`` of each window.
        patches : (n, S, C, k, k) array
            In pixels; each is encoded where it will stand. With a ``start``, in that blob's activations.
        blob : str
        units : sequence of T indices
            As for `gradient`.
        batch_size : int
        start : str, optional
            The hidden blob that patches are set into, a vector as (C, 1, 1). What does not see it stays as it is.

        Returns
        -------
        (n, S, T) float64 array

        Raises
        ------
        BlobError, ImageError, OutOfMemoryError
            As for `gradient`; a BlobError too if ``blob`` does not lie downstream of ``start``.
        WindowError
            If a window reaches over the border.
        """
        shape = lookup(self._blobs, blob)
        indices = [check_unit(shape, unit, blob=blob) for unit in units]
        if batch_size < 1:
            raise SettingsError(f"batch size {batch_size}: want at least 1.")
        base = self._checked(pixels, self.input_shape)
        origins = np.asarray(origins, int).reshape(-1, 2)
        ground = self.input_shape if start is None else as_map(lookup(self._blobs, start))
        patches = self._checked(patches, (len(origins), "S", ground[0], "k", "k"))
        windows.check_inside(origins, ground[1:], patches.shape[-1])
        if start is not None:
            self.check_downstream(start, blob)
        channels = None
        if len(shape) > 1:
            channels, indices = _of_channels(indices)
        values = np.empty((*patches.shape[:2], len(indices)))
        with memory_errors(), computing(self.precision, self.device), torch.inference_mode(), self._ready():
            engine = self._engine(base, start, blob)
            given = self._tensor(self._encode_patches(origins, patches) if start is None else patches)
            for (rows, draws), batch in engine.evaluate(origins, given, batch_size, channels=channels):
                found = _read(batch, indices).cpu().numpy()
                values[rows, draws] = found.reshape(len(rows), -1, len(indices))
        self.work.add(engine.work)
        return values

    def check_downstream(self, start: str, blob: str) -> None:
        """A BlobError if ``blob`` does not depend on ``start``, or is the same."""
        lookup(self._blobs, start)
        lookup(self._blobs, blob)
        if start == blob or not self._downstream(start, blob):
            raise BlobError(f"blob {blob!r} does not lie downstream of {start!r}: perturbing that can't change it.")

    def _ready(self) -> ContextManager[None]:
        """What has to hold while a graph runs."""
        return nullcontext()

    def _engine(self, pixels: np.ndarray, start: str | None, blob: str) -> Incremental:
        inputs = self._tensor(self._encode(pixels, (0, 0))[None]).contiguous(memory_format=self._layout)
        return Incremental(self._route(start, blob), inputs, layout=self._layout)

    def _route(self, start: str | None, blob: str) -> Route:
        graph, source, target = self._graph(start, blob)
        return Route(folded(graph, {source, target}), source, target, share=SHARE if self.incremental else 0.0)

    def evaluation(self, blob: str, *, start: str | None = None) -> str:
        """How `evaluate` works for this blob, in words: up to which layer it computes only what changes."""
        if not self.incremental:
            return "dense"
        node = self._route(start, blob).whole_from
        return "incremental" if node is None else f"incremental up to {node.name} ({node.operation})"

    def bytes_needed(self, blob: str, *, start: str | None, window: int) -> tuple[int, int]:
        """Memory for `evaluate`, estimated from above: once, and for each input of a batch."""
        route = self._route(start, blob)
        weights = self._weight_bytes()
        patch = self._blobs[start][0] if start is not None else self.input_shape[0]
        return weights + 4 * route.fixed_elements(), 4 * (route.elements(window) + 2 * patch * window**2)

    @abstractmethod
    def bytes_per_input(self, blob: str) -> int:
        """Memory that one input of a batch takes on its way to ``blob``, estimated from above."""

    @abstractmethod
    def _run(self, inputs: Tensor, blobs: Sequence[str]) -> dict[str, Tensor]:
        """Values of ``blobs`` for a batch that nobody else reads."""

    @abstractmethod
    def _downstream(self, start: str, blob: str) -> bool:
        """Whether ``blob`` depends on ``start``."""

    @abstractmethod
    def _graph(self, start: str | None, blob: str) -> tuple[Graph, int, int]:
        """A graph, and in it the numbers of ``start``, by default the input, and of ``blob``."""

    @abstractmethod
    def _definition(self) -> str:
        """What tells nets of other layers apart."""

    @abstractmethod
    def _tensors(self) -> Iterator[Tensor]:
        """All weights, in the net's order."""

    def _weight_bytes(self) -> int:
        return sum(tensor.numel() * tensor.element_size() for tensor in self._tensors())

    def _weights_hash(self) -> str:
        """SHA-1 of all weights."""
        return hash_of(self._tensors())

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.tensor(array, dtype=torch.float32, device=self.device)

    def _encode(self, pixels: np.ndarray, origin: tuple[int, int]) -> np.ndarray:
        if self.preprocessing is None:
            return np.array(pixels, np.float32)
        return self.preprocessing.encode(pixels, self.input_shape, origin=origin)

    def _encode_patches(self, origins: np.ndarray, patches: np.ndarray) -> np.ndarray:
        if self.preprocessing is None:
            return patches
        return self.preprocessing.encode_patches(patches, origins, self.input_shape)

    def _checked(self, values: Any, wanted: tuple[Any, ...]) -> np.ndarray:
        """``values`` as float32, if they have the shape ``wanted``, in which a letter is any size from 1."""
        array = np.asarray(values)
        sizes = dict(zip(wanted, array.shape))  # of a letter that is there twice the last
        fits = array.ndim == len(wanted) and all(
            size == (sizes[wish] if isinstance(wish, str) else wish) and (size > 0 or wish == 0)
            for size, wish in zip(array.shape, wanted)
        )
        if not fits:
            raise ImageError(f"net {self.name!r} wants an array ({_inside(wanted)}), not one of shape {array.shape}.")
        if array.dtype.kind not in "fiub":
            raise ImageError(f"net {self.name!r} wants numbers, not an array of {array.dtype}.")
        with np.errstate(over="ignore"):
            array = np.asarray(array, np.float32)
        if not np.isfinite(array).all():
            raise ImageError(f"net {self.name!r} wants finite numbers, not NaN or infinity.")
        return array

    def _look_up(self, blobs: Iterable[str]) -> None:
        for blob in blobs:
            lookup(self._blobs, blob)


def hash_of(tensors: Iterable[Tensor]) -> str:
    """SHA-1 of tensors' bytes, in C order."""
    digest = hashlib.sha1()
    for tensor in tensors:
        flat = tensor.detach().to("cpu").contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return "sha1:" + digest.hexdigest()


def _read(values: Tensor, units: Sequence[Unit]) -> Tensor:
    """Values (b, T) float64 of units in a batch of one blob (b, ...)."""
    if all(len(unit) == values.dim() - 1 for unit in units):  # single units, all at one stroke
        index: tuple[Any, ...] = (slice(None), *torch.tensor(units, device=values.device).t())
        return values[index].double()
    return torch.stack([_at(values, unit).double().reshape(len(values), -1).mean(1) for unit in units], 1)


def _of_channels(units: Sequence[Unit]) -> tuple[list[int], list[Unit]]:
    """Which channels of maps units lie in, and their indices among these alone."""
    channels = sorted({unit[0] for unit in units})
    return channels, [(channels.index(unit[0]), *unit[1:]) for unit in units]


def _at(values: Tensor, unit: Unit) -> Tensor:
    """What stands at one unit's index in a batch (b, ...)."""
    for i in unit:
        values = values[:, i]
    return values


def _inside(shape: Sequence[Any]) -> str:
    return ", ".join(map(str, shape))
