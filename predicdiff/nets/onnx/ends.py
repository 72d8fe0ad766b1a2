"""Where images go into an ONNX graph, and which of its values holds the classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import SettingsError
from ..arrays import checked_shape
from ..doors import NetSettings
from .graphs import attribute_of, makers, opset_of, weights_by_name

#: Types of floats, by ONNX's numbers for them, and numpy's words.
FLOATS: Mapping[int, str] = {1: "float32", 10: "float16", 11: "float64"}
#: How many channels an image may have, where the input's shape does not say which axis they lie along.
CHANNELS = (1, 3, 4)
#: Operations that hand on what they are given: behind a softmax they change nothing of what it is.
HANDED_ON = ("Identity", "Cast")
#: What an operation at a graph's end says of what it is given, see `protocols.OUTPUT_KINDS`.
KINDS = {"Softmax": "logits", "LogSoftmax": "logits", "Sigmoid": "sigmoid"}


@dataclass(frozen=True)
class Images:
    """The input that takes images.

    Attributes
    ----------
    name : str
    shape : (C, H, W)
    last : bool
        Whether it takes channels last, (N, H, W, C).
    kind : int
        ONNX's number for its type, one of `FLOATS`.
    """

    name: str
    shape: tuple[int, int, int]
    last: bool
    kind: int


def images_of(graph: Any, wanted: Any, file: str) -> Images:
    """The only input that images can go into.

    Parameters
    ----------
    graph : onnx.GraphProto
    wanted : (C, H, W), optional
        What a user says of its shape.
    file : str

    Raises
    ------
    SettingsError
        If there is none, or several, or its shape is not known or another than ``wanted``.
    """
    weights = weights_by_name(graph)
    inputs = {value.name: value.type.tensor_type for value in graph.input if value.name not in weights}
    fit = {name: of for name, of in inputs.items() if of.elem_type in FLOATS and len(_sizes(of)) in (0, 4)}
    if len(inputs) != 1 or len(fit) != 1:
        told = ", ".join(f"{name!r} {_said(of)}" for name, of in inputs.items()) or "none"
        raise SettingsError(f"{file}: its inputs are {told}: want one, of images as floats (N, C, H, W).")
    ((name, of),) = fit.items()
    sizes = _sizes(of) or [None] * 4
    last = sizes[3] in CHANNELS and sizes[1] not in CHANNELS
    known = [sizes[3], *sizes[1:3]] if last else sizes[1:]
    return Images(name, _shape(known, wanted, file), last, of.elem_type)


def _shape(known: list[int | None], wanted: Any, file: str) -> tuple[int, int, int]:
    """The shape of an input of which some sizes may be known."""
    said = f"({', '.join('?' if size is None else str(size) for size in known)})"
    if wanted is None:
        if None in known:
            raise SettingsError(
                f"{file}: takes images {said}, of which it leaves sizes open: give input_shape=(channels, height, "
                "width), --input-shape 3,224,224."
            )
        return checked_shape(known)
    shape = checked_shape(wanted)
    if any(size not in (None, asked) for size, asked in zip(known, shape)):
        raise SettingsError(f"{file}: takes images {said}, not the input shape {shape} (--input-shape) that was given.")
    return shape


def _sizes(of: Any) -> list[int | None]:
    """Sizes along the axes, None where the file gives a name or nothing; [] where it says nothing of axes."""
    return [one.dim_value if one.dim_value > 0 else None for one in of.shape.dim]


def _said(of: Any) -> str:
    sizes = ", ".join("?" if size is None else str(size) for size in _sizes(of))
    return f"({sizes})" + ("" if of.elem_type in FLOATS else " of no floats")


def output_of(graph: Any, pick: Any, file: str) -> str:
    """The name of the output that holds the classes: the one asked for, else the only one of floats that can.

    Raises
    ------
    SettingsError
        If there is no such output, or several could be meant.
    """
    names = [value.name for value in graph.output]
    if pick is not None:
        if isinstance(pick, int) and -len(names) <= pick < len(names):
            return names[pick]
        if pick in names:
            return str(pick)
        raise SettingsError(f"{file}: has no output {pick!r} (pick, --pick): want one of {', '.join(names)}.")
    floats = {value.name: _sizes(value.type.tensor_type) for value in graph.output if _is_float(value)}
    fit = [name for name, sizes in floats.items() if len(sizes) == 2] or list(floats)
    if len(fit) != 1:
        raise SettingsError(
            f"{file}: has the outputs {', '.join(names)}, of which {len(fit) or 'none'} can hold classes: say which is "
            'explained, pick="NAME", --pick NAME.'
        )
    return fit[0]


def _is_float(value: Any) -> bool:
    return value.type.tensor_type.elem_type in FLOATS


def scores_of(model: Any, output: str, settings: NetSettings) -> tuple[str, str]:
    """The value that is explained, and what it holds: what goes into a softmax or sigmoid at the end, where one is."""
    said = settings.output_is or settings.output
    if said is not None:
        return output, said
    made, value = makers(model.graph), output
    while value in made and made[value].op_type in HANDED_ON and made[value].input:
        value = made[value].input[0]
    node = made.get(value)
    if node is None or node.op_type not in KINDS or not node.input:
        return output, "logits"
    if node.op_type != "Sigmoid" and not _over_classes(model, node, output):
        return output, "probabilities"
    return node.input[0], KINDS[node.op_type]


def sizes_of(graph: Any, output: str) -> list[int | None]:
    """Sizes along an output's axes, as `_sizes`."""
    return next(_sizes(value.type.tensor_type) for value in graph.output if value.name == output)


def _over_classes(model: Any, node: Any, output: str) -> bool:
    """Whether a softmax goes over the first axis behind the batch."""
    # before version 13 it took all axes from one on together, by default from the first behind the batch
    flat = opset_of(model) < 13
    axis, sizes = attribute_of(node, "axis", 1 if flat else -1), sizes_of(model.graph, output)
    axes = len(sizes) or (2 if axis == -1 else 0)
    return axes == 2 if flat or axis == -1 else axis == 1
