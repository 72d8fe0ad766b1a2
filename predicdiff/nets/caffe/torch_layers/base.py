"""What is said of how torch computes a Caffe layer type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable, Sequence

import torch
from torch import Tensor

from ...engine.graph import Dependence, Functions, Pointwise, Whole
from ..layer_types import Shapes
from ..resolved import Step

Tensors = Sequence[Tensor]


def settings_of(shapes: Shapes, top: int) -> Mapping[str, Any]:
    """The layer's settings, for every top."""
    return shapes.settings


def with_shape(shapes: Shapes, top: int) -> Mapping[str, Any]:
    """The layer's settings, and the top's shape."""
    return {**shapes.settings, "shape": shapes.tops[top]}


def joining_all(step: Step, weights: Tensors, device: torch.device) -> Dependence:
    """A place of the top may depend on anything."""
    return Whole()


def placewise(step: Step, weights: Tensors, device: torch.device) -> Dependence:
    """A place of a map depends on that place alone, and all places are treated alike."""
    on_channels = step.shapes.settings.get("axis", 0) == 0 and all(array.dim() <= 1 for array in weights)
    return Pointwise() if on_channels and len(step.shapes.tops[0]) == 3 else Whole()


def no_work(step: Step, weights: Tensors) -> int:
    """No multiply-adds that are counted."""
    return 0


def filter_size(step: Step, weights: Tensors) -> int:
    """Each weight is used once for each place of the top."""
    return weights[0].numel()


def with_bias(weights: Tensors) -> tuple[Tensor, Tensor | None]:
    """Weights, and the bias or None."""
    return weights[0], weights[1] if len(weights) > 1 else None


def wide(x: Tensor) -> Tensor:
    """Values of half precision as float32, so that sums of their products are rounded once."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


@dataclass(frozen=True)
class Filters:
    """A convolution's or linear layer's weights in one order, with the outputs first, and what is made of such.

    Attributes
    ----------
    own : callable
        From the layer's weights and its settings to (out, ...) and the bias (out,) or None.
    functions : callable
        From such and the settings to what the layer computes.
    of_channels : callable
        From the settings to whether each output is a channel of the top; by default always.
    """

    own: Callable[..., tuple[Tensor, Tensor | None]]
    functions: Callable[..., Functions]
    of_channels: Callable[..., bool] = lambda **settings: True


@dataclass(frozen=True)
class TorchLayer:
    """How torch computes a layer type.

    Attributes
    ----------
    name : str
        As of the `LayerType`.
    run : callable
        From bottoms (b, ...), the layer's weights and ``arguments`` by name to a top (b, ...); changes no bottom.
    arguments : callable
        From the layer's `Shapes` and the number of a top to what ``run`` takes by name; by default the settings.
    over : callable, optional
        As ``run``, but may write into the first bottom.
    kind : callable
        From a `Step`, its weights and the device to what a place of a top depends on, and how a piece is computed.
    affine : callable, optional
        Where it scales and shifts each channel: from weights and settings to the gain and the shift.
    filters : Filters, optional
        Of a convolution or a linear layer.
    work : callable
        From a `Step` and its weights to multiply-adds for each place of a top, for all of it if the kind is Whole.
    by_channel : bool
        Whether it takes every channel by itself, and all alike.
    flat : bool
        Whether the top has the one bottom's values in their order.
    packed : bool
        Whether its matrix of weights is kept in oneDNN's own order on a CPU.
    plain : callable
        From an array of weights to whether it is kept in plain order where maps have their channels last.
    """

    name: str
    run: Callable[..., Tensor]
    arguments: Callable[[Shapes, int], Mapping[str, Any]] = settings_of
    over: Callable[..., Tensor] | None = None
    kind: Callable[[Step, Tensors, torch.device], Dependence] = joining_all
    affine: Callable[..., tuple[Tensor, Tensor]] | None = None
    filters: Filters | None = None
    work: Callable[[Step, Tensors], int] = no_work
    by_channel: bool = False
    flat: bool = False
    packed: bool = False
    plain: Callable[[Tensor], bool] = lambda weight: False
