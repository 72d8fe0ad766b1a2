"""Net definitions (prototxt) -> plain records.

Here a net is data; what the fields of a layer mean is said in `layer_types`. Old definitions come out in today's words:
V1 layers and their types, ``input_dim``, ``input_shape``.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any, Sequence

import numpy as np
from google.protobuf import text_format

from ...errors import FormatError, LayerError
from .caffemodel import PathLike, check_shape, opened
from .layer_types import READERS, TYPES, unknown_type
from .records import Layer, NetSpec
from .schema import PACKAGE, message_class, pool, v1_types

#: Net definitions are a thousand times smaller.
_MOST_BYTES = 2**25

#: The type of what is no layer, but says what goes in.
_INPUT = "Input"

#: Phase TEST, by number.
_TEST = 1


def read_prototxt(path: PathLike) -> NetSpec:
    """Read a net's definition, in any format since Caffe's V1; errors as for `parse_prototxt`."""
    with opened(path, "a prototxt") as (file, size, kind):
        if kind not in ("a prototxt", "a text file"):
            raise FormatError(f"want a prototxt, found {kind or 'a binary file (are these the weights?)'}.")
        if size > _MOST_BYTES:
            raise FormatError(f"want a prototxt, found {size:,} bytes of text: no net's definition is that long.")
        file.seek(0)
        # Bytes that are no UTF-8 are welcome in comments, and refused in names as escape sequences.
        text = file.read().decode("utf-8-sig", "backslashreplace")
    return parse_prototxt(text, str(path))


def parse_prototxt(text: str, name: str) -> NetSpec:
    """The net that a prototxt defines.

    Parameters
    ----------
    text : str
    name : str
        What errors call it, e.g. its path. Also the net's name where the text gives none.

    Raises
    ------
    FormatError
        If it is no prototxt, has a field that Caffe has not (with its line), or no input of known shape.
    LayerError
        If a layer has no type, or is of one of another Caffe than BVLC's.
    """
    try:
        net = _parse(text)
        layers = _layers(net)
        records = tuple(_record(kind, layer) for kind, layer in layers if kind != _INPUT)
        return NetSpec(net.name or Path(name).stem, _inputs(net, layers), records)
    except FormatError as error:
        raise type(error)(f"{name}: {error}") from None


def _parse(text: str) -> Any:
    net = message_class("NetParameter")()
    try:
        return text_format.Parse(text, net)
    except text_format.ParseError as error:
        raise _explained(error, net) from None


def _explained(error: text_format.ParseError, net: Any) -> FormatError:
    """What is wrong with the text, ``net`` being as much of it as was read, the layer in question last."""
    message = str(error).replace(f"{PACKAGE}.", "").rstrip(".")
    message = re.sub(r"^(\d+:\d+ : )?('.*': )?", "", message, flags=re.DOTALL)  # less the place and the whole line
    v1_type = re.search(r'LayerType" has no value (?:named|with number) "?(\w+)', message)
    if v1_type:
        return unknown_type(net.layers[-1].name, v1_type[1])
    for kind, layer in _layers(net):
        if kind and kind not in {_INPUT, *TYPES} and kind not in v1_types().values():
            return unknown_type(layer.name, kind)  # what does not parse may be of another Caffe
    place = f"line {error.GetLine()}, column {error.GetColumn()}: " if error.GetLine() else ""
    return FormatError(f"{place}{message[:200]}.{_near_fields(message)}")


def _near_fields(message: str) -> str:
    unknown = re.search(r'Message type "(\w+)" has no field named "(\w+)"', message)
    if not unknown:
        return ""
    if unknown[2] in ("net", "train_net", "base_lr", "test_iter", "test_interval"):
        return " Is it a solver's prototxt? Want the net's."
    fields = pool().FindMessageTypeByName(f"{PACKAGE}.{unknown[1]}").fields_by_name
    near = difflib.get_close_matches(unknown[2], fields)
    return f" Is it {' or '.join(near)}?" if near else ""


def _layers(net: Any) -> list[tuple[str, Any]]:
    """The layers that are there in phase TEST, each with its type in the words of V2."""
    if net.layer and net.layers:
        raise FormatError("has `layer` and `layers`, the new format and the old: want one of them.")
    if any(layer.HasField("layer") for layer in net.layers):
        raise FormatError(
            "is of Caffe's first format (V0), which is not read here: convert it with Caffe's upgrade_net_proto_text."
        )
    layers = [(v1_types()[layer.type], layer) for layer in net.layers] + [(layer.type, layer) for layer in net.layer]
    return [(kind, layer) for kind, layer in layers if _is_included(layer, net.state.stage)]


def _is_included(layer: Any, stages: Sequence[str]) -> bool:
    if layer.include and layer.exclude:
        raise FormatError(f"layer {layer.name!r} has include and exclude rules: want one of them, as Caffe does.")
    if layer.include:
        return any(_meets(rule, stages) for rule in layer.include)
    return not any(_meets(rule, stages) for rule in layer.exclude)


def _meets(rule: Any, stages: Sequence[str]) -> bool:
    """Is the rule met in phase TEST at level 0, Caffe's own setting for a net that is used and not trained?"""
    wrong_phase = rule.HasField("phase") and rule.phase != _TEST
    wrong_level = rule.min_level > 0 or (rule.HasField("max_level") and rule.max_level < 0)
    wrong_stage = not set(rule.stage) <= set(stages) or set(rule.not_stage) & set(stages)
    return not (wrong_phase or wrong_level or wrong_stage)


def _record(kind: str, layer: Any) -> Layer:
    if not kind:
        raise LayerError(f"layer {layer.name!r} has no type.")
    params = {field.name: _plain(field, value) for field, value in layer.ListFields() if field.name.endswith("_param")}
    return Layer(layer.name, kind, tuple(layer.bottom), tuple(layer.top), params)


def _plain(field: Any, value: Any) -> Any:
    """A protobuf value as dicts, lists, strings and numbers."""
    if hasattr(value, "ListFields"):
        return {inner.name: _plain(inner, item) for inner, item in value.ListFields()}
    if not isinstance(value, (bool, int, float, str)):
        return [_plain(field, item) for item in value]
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    if isinstance(value, float):
        return float(np.format_float_scientific(np.float32(value)))  # 0.0001 as written, not 9.999999747378752e-05
    return value


def _inputs(net: Any, layers: Sequence[tuple[str, Any]]) -> dict[str, tuple[int, ...]]:
    inputs: dict[str, tuple[int, ...]] = {}
    for name, shape in _declared(net) + _input_layers(layers):
        if name in inputs:
            raise FormatError(f"input {name!r} is there twice.")
        if not shape or 0 in shape:
            raise FormatError(f"input {name!r} has shape {shape}, want at least one axis and no size of 0.")
        try:
            check_shape(shape)
        except FormatError as error:
            raise FormatError(f"input {name!r}: {error}") from None
        inputs[name] = shape[1:]
    if not inputs:
        raise FormatError(_no_input(layers))
    return inputs


def _declared(net: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Inputs from before there were Input layers."""
    names = list(net.input)
    if net.input_shape:
        shapes = [tuple(shape.dim) for shape in net.input_shape]
    else:
        dims = list(net.input_dim)
        shapes = [tuple(dims[start : start + 4]) for start in range(0, len(dims), 4)]
        if len(dims) % 4:
            raise FormatError(f"has {len(dims)} input_dim, want 4 for each input.")
    if names and len(names) != len(shapes):
        raise FormatError(f"has {len(names)} inputs {names}, and {len(shapes)} shapes for them: want one each.")
    return list(zip(names, shapes))


def _input_layers(layers: Sequence[tuple[str, Any]]) -> list[tuple[str, tuple[int, ...]]]:
    inputs: list[tuple[str, tuple[int, ...]]] = []
    for layer in (layer for kind, layer in layers if kind == _INPUT):
        shapes = [tuple(shape.dim) for shape in layer.input_param.shape]
        if len(shapes) == 1:
            shapes *= len(layer.top)
        if not layer.top or len(shapes) != len(layer.top):
            raise LayerError(
                f"layer {layer.name!r} of type Input has tops {list(layer.top)} and {len(shapes)} shapes: "
                "want a shape for each, or one for all."
            )
        inputs.extend(zip(layer.top, shapes))
    return inputs


def _no_input(layers: Sequence[tuple[str, Any]]) -> str:
    for kind, layer in layers:
        if kind.endswith(READERS):
            return (
                f"reads its images through layer {layer.name!r} of type {kind}, as nets in training do: want the "
                "net's deploy prototxt, which has an Input layer."
            )
    return "has no input: want a layer of type Input, or `input` with `input_dim` or `input_shape`."
