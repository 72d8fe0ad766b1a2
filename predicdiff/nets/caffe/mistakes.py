"""What is wrong with a text that protobuf cannot read as a net's definition, and what to do."""

from __future__ import annotations

import re
from typing import Any

from google.protobuf import text_format

from ...errors import FormatError
from ...texts import near
from .inputs import INPUT
from .layer_types import TYPES, unknown_type
from .phases import is_included, layers_of, stages_of
from .schema import PACKAGE, pool, v1_types

#: Fields of a solver that a net has not, of those that stand first or are never left out.
_OF_SOLVERS = (
    "net", "train_net", "test_net", "net_param", "train_net_param", "test_net_param", "test_iter", "test_interval",
    "base_lr", "display", "max_iter", "iter_size", "lr_policy", "gamma", "momentum", "weight_decay", "snapshot",
    "snapshot_prefix", "solver_mode", "device_id", "random_seed", "stepsize", "average_loss", "test_initialization",
)  # fmt: skip


def explained(error: text_format.ParseError, net: Any, text: str) -> FormatError:
    """What is wrong with the text, ``net`` being as much of it as was read, the layer in question last."""
    message = str(error).replace(f"{PACKAGE}.", "").rstrip(".")
    message = re.sub(r"^(\d+:\d+ : )?('.*': )?", "", message, flags=re.DOTALL)  # less the place and the whole line
    place = f"line {error.GetLine()}, column {error.GetColumn()}: " if error.GetLine() else ""
    v1_type = re.search(r'LayerType" has no value (?:named|with number) \W?(\w+)', message)
    spelling = _spelling(v1_type[1] if v1_type else (re.findall(r"found: '(\w+)'", message) or [""])[0])
    if spelling and (v1_type or net.layer):
        return FormatError(f"{place}{spelling}")
    if v1_type:
        return unknown_type(net.layers[-1].name, v1_type[1])
    stages = stages_of(net)
    for kind, layer in layers_of(net):
        there = is_included(layer, stages)
        if there and kind and kind not in {INPUT, *TYPES} and kind not in v1_types().values():
            return unknown_type(layer.name, kind)  # what does not parse may be of another Caffe
    return _of_solver(message, text) or FormatError(f"{place}{message[:200]}.{_near_fields(message)}")


def _spelling(kind: str) -> str:
    """How to write a type that is known in the other format, or by the other format's name."""
    numbers = pool().FindEnumTypeByName(f"{PACKAGE}.V1LayerParameter.LayerType").values_by_number
    for number, new in v1_types().items():
        if kind and kind in (new, numbers[number].name):
            return (
                f'a layer of type {kind}: in `layer {{ }}`, the new format, want type: "{new}", in quotes; in '
                f"`layers {{ }}`, the old one, want type: {numbers[number].name}, without. One file has one of them."
            )
    return ""


def _of_solver(message: str, text: str) -> FormatError | None:
    unknown = re.search(r'Message type "NetParameter" has no field named "(\w+)"', message)
    if not unknown or unknown[1] not in _OF_SOLVERS:
        return None
    named = re.search(r"""^[ \t]*(?:train_|test_)?net\s*:\s*["'](.+?)["']""", text, re.MULTILINE)
    wanted = f"{named[1]}, which it names" if named else "the definition that stands in it, as a file of its own"
    return FormatError(f"is a solver's prototxt: want the net's, {wanted}.")


def _near_fields(message: str) -> str:
    unknown = re.search(r'Message type "(\w+)" has no field named "(\w+)"', message)
    if not unknown:
        return ""
    fields = pool().FindMessageTypeByName(f"{PACKAGE}.{unknown[1]}").fields_by_name
    similar = near(unknown[2], fields)
    return f" Is it {' or '.join(similar)}?" if similar else ""
