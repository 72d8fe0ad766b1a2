"""What all nets on torch have in common: blobs by one pass or by what windows change, and gradients."""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any, Callable, ContextManager, cast

import numpy as np
import torch
from torch import Tensor

from ...errors import BlobError
from ...noise import Noise
from ...protocols import Json, Unit
from ...stopping import check_stopped
from ...units import Masked, as_map, in_channel
from ...units import channels as channels_of
from ...windows import SidesLike, sides
from ..arrays import hash_of
from ..base import BlobNet
from ..facts import NetFacts
from . import draws as device_draws
from .asked import only
from .device import check_precision, compute_with, computing, exactly, memory_errors, threads
from .folding import folded
from .graph import Graph
from .incremental import Chunk, Incremental
from .kept import Work
from .route import SHARE, Route

#: Values that are left on the device at most, before they are read.
HELD = 2**22


class TorchNet(BlobNet):
    """A net with named blobs on torch; its kinds say how blobs are computed (`_run`).

    Parameters
    ----------
    facts : NetFacts
    device : torch.device
    """

    #: Whether `evaluate` computes only what a window changes; the values are the same, rounding apart.
    incremental: bool = True

    #: In which order batches lie in memory.
    _layout: torch.memory_format = torch.contiguous_format

    #: What `forward` computes in; float64 in a copy that tells rounding from real differences.
    _dtype: torch.dtype = torch.float32

    def __init__(self, facts: NetFacts, device: torch.device) -> None:
        super().__init__(facts)
        self.device = device
        self._draws_on_device = device.type == "cuda"
        self._precision = "float32"
        #: Multiply-adds of all calls of `evaluate` so far.
        self.work = Work()

    @property
    def precision(self) -> str:
        """In what products are computed: float32, tf32 (on a GPU) or bfloat16. Gradients are always float32."""
        return self._precision

    @precision.setter
    def precision(self, name: str) -> None:
        """Refuse a precision that the device does not have."""
        self._precision = check_precision(name, self.device)

    @property
    def takes_noise(self) -> bool:  # type: ignore[override]
        """Whether the device makes patches of a sampler's `Noise`. A GPU does; for the CPU numpy makes them."""
        return self._draws_on_device

    @property
    def preferred_batch(self) -> int:
        """Inputs in a batch beyond which more gain nothing; on the CPU more are slower (their maps leave the cache)."""
        # to launch a batch's hundreds of kernels takes Python some 10 ms, however long the batch is
        return 20 if self.device.type == "cpu" else 2560

    def evaluating_threads(self) -> int:
        """How many threads are to call `evaluate` at once; 0 where they must not, or gain nothing, as on a GPU."""
        return threads() if self.device.type == "cpu" else 0

    def compute_with(self, count: int) -> None:
        """Have the thread that calls this compute with so many of torch's threads; others as before."""
        compute_with(count)

    def computed_by(self) -> Json:
        """Torch's version and the threads that it uses, or the GPU's name."""
        version = {"torch": str(torch.__version__)}
        if self.device.type == "cuda":
            return {**version, "device": torch.cuda.get_device_name(self.device)}
        where = {} if self.device.type == "cpu" else {"device": str(self.device)}
        return {**version, **where, "threads": torch.get_num_threads()}

    def evaluation(self, blob: str, *, start: str | None = None) -> str:
        """How `evaluate` works for this blob, in words: up to which layer it computes only what changes."""
        if self.alone:
            return "dense, one image at a time"
        if not self.incremental:
            return "dense"
        node = self._route(start, blob).whole_from
        return "incremental" if node is None else f"incremental up to {node.name} ({node.operation})"

    def bytes_needed(self, blob: str, *, start: str | None, window: SidesLike) -> tuple[int, int]:
        """Memory for `evaluate`, estimated from above: once, and for each input of a batch."""
        route, lengths = self._route(start, blob), sides(window)
        weights = self._weight_bytes()
        patch = (self.input_shape if start is None else as_map(self._blobs[start]))[0]
        return weights + 4 * route.fixed_elements(), 4 * (route.elements(lengths) + 2 * patch * math.prod(lengths))

    def in_double(self) -> TorchNet:
        """A copy whose `forward` computes in float64, slowly and with twice the memory."""
        net = copy.copy(self)
        net._dtype, net._precision = torch.float64, "float32"
        net._become_double()
        return net

    @abstractmethod
    def _become_double(self) -> None:
        """Turn this copy's weights into float64, leaving those of the net it was copied from as they are."""

    @abstractmethod
    def _run(self, inputs: Tensor, blobs: Sequence[str]) -> dict[str, Tensor]:
        """Values of ``blobs`` for a batch that nobody else reads."""

    @abstractmethod
    def _graph(self, start: str | None, blob: str) -> tuple[Graph, int, int]:
        """A graph, and in it the numbers of ``start``, by default the input, and of ``blob``."""

    @abstractmethod
    def _tensors(self) -> Iterator[Tensor]:
        """All weights, in the net's order."""

    def _ready(self) -> ContextManager[None]:
        """The context in which a graph runs."""
        return nullcontext()

    def _forward(self, inputs: np.ndarray, blobs: list[str]) -> dict[str, np.ndarray]:
        with memory_errors(), computing(self.precision, self.device), torch.inference_mode():
            values = self._run(self._tensor(inputs), blobs)
            return {blob: np.array(values[blob].to("cpu", self._dtype).contiguous().numpy()) for blob in blobs}

    def _gradient(self, inputs: np.ndarray, blob: str, unit: Unit) -> np.ndarray:
        with memory_errors(), exactly(), torch.inference_mode(False), torch.enable_grad():
            x = self._tensor(inputs[None]).requires_grad_()
            # A copy, since a module may work in place on its input and torch refuses that on a leaf.
            value = _at(self._run(x.clone(), [blob])[blob], unit).mean()
            if not value.requires_grad:
                raise BlobError(f"blob {blob!r} of net {self.name!r} has no gradient: none goes through its last step.")
            (gradient,) = torch.autograd.grad(value, x, allow_unused=True)
        return np.zeros(self.input_shape, np.float32) if gradient is None else np.array(gradient[0].cpu().numpy())

    def _evaluate(
        self,
        pixels: np.ndarray,
        origins: np.ndarray,
        patches: np.ndarray | Noise,
        blob: str,
        units: list[Unit],
        batch_size: int,
        start: str | None,
    ) -> np.ndarray:
        once, each = self.bytes_needed(blob, start=start, window=patches.shape[3:])
        self._check_room(once + each * min(batch_size, math.prod(patches.shape[:2])))
        channels, inside = _of_channels(units)
        values = np.empty((*patches.shape[:2], len(units)))
        late = _Late(values)
        with memory_errors(), computing(self.precision, self.device), torch.inference_mode(), self._ready():
            engine = self._engine(pixels, start, blob, channels)
            selected = None
            if channels_of(engine.route.shape(engine.route.target)) == len(channels):  # no others are computed
                units = inside
            elif len(self._blobs[blob]) > 1:
                units, selected = inside, channels
            inputs = self._patches(origins, patches, encode=start is None)
            read = _reader(units, len(self._blobs[blob]), self.device)
            for chunk, targets in engine.targets(origins, inputs, batch_size, channels=selected):
                late.add(chunk, read(targets))
                check_stopped()
            late.fetch()
        self.work.add(engine.kept.work)
        return values

    def _patches(self, origins: np.ndarray, patches: np.ndarray | Noise, *, encode: bool) -> Tensor:
        """Patches (n, S, C, h, w) as they are set in, drawn and encoded on the device if it is a GPU."""
        if isinstance(patches, Noise):
            tensor = device_draws.drawn(patches, self.device)
        elif encode and not self._draws_on_device:
            return self._tensor(self.encode_patches(origins, patches))
        else:
            tensor = self._tensor(patches)
        if not encode or self.preprocessing is None:
            return tensor
        return device_draws.encoded(tensor, origins, self.preprocessing, self.input_shape)

    def _engine(self, pixels: np.ndarray, start: str | None, blob: str, channels: Sequence[int]) -> Incremental:
        inputs = self._tensor(self._encode(pixels, (0, 0))[None]).contiguous(memory_format=self._layout)
        route = self._route(start, blob, channels)
        return Incremental(route, inputs, layout=self._layout, collects=not self.alone)

    def _route(self, start: str | None, blob: str, channels: Sequence[int] | None = None) -> Route:
        """The way to a blob; to ``channels`` of it alone, where its last layers can be cut to them."""
        graph, source, target = self._graph(start, blob)
        graph = folded(graph, {source, target})
        if channels is not None:
            graph = only(graph, source, target, channels)
        return Route(graph, source, target, share=SHARE if self.incremental else 0.0)

    def _settings(self) -> dict[str, Any]:
        return {"incremental": self.incremental, "precision": self.precision}

    def __copy__(self) -> TorchNet:
        """A net with the same weights, but settings and an account of its own."""
        twin = cast(TorchNet, super().__copy__())
        twin.work = Work()
        return twin

    def _go_alone(self) -> None:
        """Compute inputs one at a time, and wholly."""
        super()._go_alone()
        self.incremental = False

    def _engine_provenance(self) -> dict[str, Any]:
        precision = {} if self.precision == "float32" else {"precision": self.precision}
        return {"engine": "torch", "engine_version": str(torch.__version__), **precision}

    def _weight_bytes(self) -> int:
        return sum(tensor.numel() * tensor.element_size() for tensor in self._tensors())

    def _weights_hash(self) -> str:
        return hash_of(map(_bytes, self._tensors()))

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.tensor(array, dtype=self._dtype, device=self.device)


def _bytes(tensor: Tensor) -> np.ndarray:
    return np.asarray(tensor.detach().to("cpu").contiguous().reshape(-1).view(torch.uint8).numpy())


def _reader(units: Sequence[Unit], dimensions: int, device: torch.device) -> Callable[[Tensor], Tensor]:
    """A function from a batch (b, ...) to units' values (b, T) float64; ``dimensions`` are its axes but the first."""
    if dimensions and all(len(unit) == dimensions for unit in units):  # single units, all at one stroke
        index: tuple[Any, ...] = (slice(None), *torch.tensor(units, device=device).t())
        return lambda values: values[index].double()
    return lambda values: torch.stack(
        [_at(values, unit).double().reshape(len(values), -1).mean(1) for unit in units], 1
    )


class _Late:
    """Writes values into an array (n, S, T), of many batches at once, since a GPU stands still while it is read."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self._waiting: list[tuple[Chunk, Tensor]] = []
        self._held = 0

    def add(self, chunk: Chunk, values: Tensor) -> None:
        """Keep what was read in a chunk, (windows draws, T), on the device."""
        self._waiting.append((chunk, values))
        self._held += values.numel()
        if self._held > HELD:
            self.fetch()

    def fetch(self) -> None:
        """Write all that is kept on the device into the array."""
        for (rows, draws), values in self._waiting:
            self.values[rows, draws] = values.cpu().numpy().reshape(len(rows), -1, self.values.shape[2])
        self._waiting, self._held = [], 0


def _of_channels(units: Sequence[Unit]) -> tuple[list[int], list[Unit]]:
    """Which channels of maps units lie in, and their indices among these alone; a single number counts as one."""
    if not all(units):
        return [0], list(units)
    channels = sorted({unit[0] for unit in units})
    return channels, [in_channel(unit, channels.index(unit[0])) for unit in units]


def _at(values: Tensor, unit: Unit) -> Tensor:
    """What one unit averages of a batch (b, ...)."""
    for i in unit:
        values = values[:, i]
    return values.flatten(1)[:, torch.as_tensor(unit.places)] if isinstance(unit, Masked) else values
