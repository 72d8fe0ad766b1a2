"""The parameters of one Caffe layer, read with a check: every refusal names the layer, its type and what was wanted."""

from __future__ import annotations

import math
from typing import Any, Sequence

from ...errors import LayerError
from ..engine.geometry import Shape
from .records import MOST_AXES, MOST_ELEMENTS, Layer


class Fields:
    """What one layer says of itself in the group ``parameters``, and its bottoms' shapes without the batch axis."""

    def __init__(self, layer: Layer, bottoms: Sequence[Shape], parameters: str) -> None:
        self.layer = layer
        self.bottoms = tuple(bottoms)
        self._values = layer.params.get(parameters, {})

    def error(self, problem: str) -> LayerError:
        """The exception for ``problem``, which says what came and what was wanted."""
        return LayerError(f"layer {self.layer.name!r} ({self.layer.type}) {problem}.")

    def has(self, name: str) -> bool:
        """Whether the field was given."""
        value = self._values.get(name)
        return value is not None and not (isinstance(value, (list, tuple)) and len(value) == 0)

    def whole(self, name: str, default: int | None = None, *, least: int = 0) -> int:
        """An integer of at least ``least``; without a default it has to be given."""
        value: int = self._one(name, default)
        if not _is_whole(value, least):
            raise self.error(f"has {name} = {value!r}, want a whole number of at least {least}{_below(value)}")
        return value

    def wholes(self, name: str) -> tuple[int, ...]:
        """All values of a repeated field of whole numbers of at least 0."""
        values = self._all(name)
        for value in values:
            if not _is_whole(value, 0):
                raise self.error(f"has {name} = {values}, want whole numbers of at least 0{_below(value)}")
        return tuple(values)

    def number(self, name: str, default: float | None = None) -> float:
        """A finite number; without a default it has to be given."""
        return self._finite(name, self._one(name, default))

    def numbers(self, name: str) -> tuple[float, ...]:
        """All values of a repeated field."""
        return tuple(self._finite(name, value) for value in self._all(name))

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._one(name, default)
        if value not in (True, False):
            raise self.error(f"has {name} = {value!r}, want true or false")
        return bool(value)

    def choice(self, name: str, default: str, known: Sequence[str]) -> str:
        """One of the names in ``known``."""
        value = self._one(name, default)
        if value not in known:
            raise self.error(f"has {name} = {value}, want {' or '.join(known)}")
        return str(value)

    def pair(self, name: str, default: int | None = None, *, least: int = 0) -> tuple[int, int]:
        """Height and width: ``name_h`` and ``name_w``, or ``name`` (the kernel's: ``kernel_size``) once or twice."""
        plain = "kernel_size" if name == "kernel" else name
        high, wide = f"{name}_h", f"{name}_w"
        if self.has(high) or self.has(wide):
            if self.has(plain):
                raise self.error(f"has both {plain} and {high} or {wide}, want one of them")
            missing = 0 if name == "pad" else None
            return self.whole(high, missing, least=least), self.whole(wide, missing, least=least)
        values = self._all(plain)
        if len(values) > 2:
            raise self.error(f"has {len(values)} values of {plain}, want height and width or one for both")
        if len(values) < 2:
            return (self.whole(plain, default, least=least),) * 2
        for value in values:
            if not _is_whole(value, least):
                raise self.error(f"has {plain} = {values}, want whole numbers of at least {least}{_below(value)}")
        return values[0], values[1]

    def dims(self) -> list[int]:
        """The dimensions in the field ``shape``."""
        shape = self._values.get("shape", {})
        dims = shape.get("dim", ())
        if len(dims) > MOST_AXES:
            raise self.error(f"has {len(dims)} dimensions, want {MOST_AXES} at most")
        return [int(dim) for dim in dims]

    def axis(self, rank: int, default: int, *, name: str = "axis") -> int:
        """An axis of ours, 0 to ``rank`` - 1, from one of Caffe's, which counts the batch's and may count backwards."""
        counted = self.whole(name, default, least=-rank - 1)
        axis = counted + rank if counted < 0 else counted - 1
        if counted == 0 or counted == -rank - 1:
            raise self.error(f"has {name} = {counted}, which is the batch axis: each image is to be treated apart")
        if axis >= rank:
            raise self.error(f"has {name} = {counted}, want at most {rank} here")
        return axis

    def only_channel_axis(self) -> None:
        """Refuse an ``axis`` that is not the channels'."""
        if self.axis(len(self.bottoms[0]), 1) != 0:
            raise self.error("has another axis than 1, want channels, rows and columns in their usual places")

    def bias(self, size: int) -> tuple[Shape, ...]:
        """Shape of the bias, if ``bias_term`` leaves it one."""
        return ((size,),) if self.flag("bias_term", True) else ()

    def take(self, least: int, most: int | None = 1) -> tuple[Shape, ...]:
        """The bottoms' shapes, if they are as many as the type takes."""
        if len(self.bottoms) < least or (most is not None and len(self.bottoms) > most):
            wanted = f"at least {least}" if most is None else str(least)
            raise self.error(f"has {len(self.bottoms)} bottoms, want {wanted}")
        return self.bottoms

    def image(self) -> Shape:
        """The shape (C, H, W) of the one bottom."""
        (bottom,) = self.take(1)
        if len(bottom) != 3:
            raise self.error(f"has a bottom of shape {bottom}, want (channels, height, width)")
        return bottom

    def _one(self, name: str, default: Any) -> Any:
        values = self._all(name)
        if len(values) > 1:
            raise self.error(f"has {len(values)} values of {name}, want one")
        if not values and default is None:
            raise self.error(f"has no {name}")
        return values[0] if values else default

    def _all(self, name: str) -> list[Any]:
        value = self._values.get(name)
        if value is None:
            return []
        return list(value) if isinstance(value, (list, tuple)) else [value]

    def _finite(self, name: str, value: Any) -> float:
        if isinstance(value, (str, bool)) or not math.isfinite(value):
            raise self.error(f"has {name} = {value!r}, want a finite number")
        return float(value)


def _is_whole(value: Any, least: int) -> bool:
    """Whether it is a whole number that Caffe holds in an int, of at least so much."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= MOST_ELEMENTS


def _below(value: Any) -> str:
    """What else is wanted of a number that is too large."""
    return " and below 2^31" if isinstance(value, int) and value > MOST_ELEMENTS else ""
