"""Layer types that reckon each value of their only bottom by itself."""

from __future__ import annotations

from typing import Callable

from ..fields import Fields
from .base import SAME, SCALED, LayerType, Shapes, always


def same(**numbers: float) -> Callable[[Fields], Shapes]:
    """Make the function of a type that keeps its bottom's shape and has ``numbers`` alone for settings."""

    def function(fields: Fields) -> Shapes:
        return Shapes(fields.take(1), (), {name: fields.number(name, value) for name, value in numbers.items()})

    return function


def clip(fields: Fields) -> Shapes:
    """What lies below ``min`` or above ``max`` becomes that."""
    low, high = fields.number("min"), fields.number("max")
    if low > high:
        raise fields.error(f"has min = {low} and max = {high}, want the first below the second")
    return Shapes(fields.take(1), (), {"low": low, "high": high})


def of_base(fields: Fields) -> Shapes:
    """A power or a logarithm of base ``base``, by default e, which -1 stands for."""
    base = fields.number("base", -1.0)
    if base != -1 and base <= 0:
        raise fields.error(f"has base = {base}, want a number above 0, or -1 for e")
    return Shapes(
        fields.take(1), (), {"base": base, "scale": fields.number("scale", 1.0), "shift": fields.number("shift", 0.0)}
    )


def logarithm(fields: Fields) -> Shapes:
    """As `of_base`; there is none of base 1."""
    if fields.number("base", -1.0) == 1:
        raise fields.error("has base = 1.0, want a number above 0 that is not 1, or -1 for e")
    return of_base(fields)


def prelu(fields: Fields) -> Shapes:
    """A slope below zero per channel, or one for all."""
    (bottom,) = fields.take(1)
    if not bottom:
        raise fields.error("has a bottom without channels")
    return Shapes((bottom,), (() if fields.flag("channel_shared", False) else bottom[:1],))


TYPES = (
    LayerType("AbsVal", same()),
    LayerType("BNLL", same(), wrong_in_place=always),
    LayerType("Clip", clip, wrong_in_place=always),
    LayerType("Dropout", same(), shares=True, holds=SAME),
    LayerType("ELU", same(alpha=1.0), wrong_in_place=lambda settings: settings["alpha"] < 0),
    LayerType("Exp", of_base),
    LayerType("Log", logarithm, wrong_in_place=always),
    LayerType("PReLU", prelu),
    LayerType("Power", same(power=1.0, scale=1.0, shift=0.0), holds=SCALED, wrong_in_place=always),
    LayerType("ReLU", same(negative_slope=0.0), wrong_in_place=lambda settings: settings["negative_slope"] < 0),
    LayerType("Sigmoid", same(), holds="sigmoid"),
    LayerType("Swish", same(beta=1.0)),
    LayerType("TanH", same()),
    LayerType("Threshold", same(threshold=0.0), backward=False),
)
