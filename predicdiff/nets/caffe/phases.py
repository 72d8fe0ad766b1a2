"""Which layers of a net are there when it is used and not trained, by the rules that stand at them."""

from __future__ import annotations

from typing import Any, Tuple

from ...errors import FormatError
from .schema import v1_types

#: A layer's type in the words of V2, and its message.
Typed = Tuple[str, Any]

#: Phases by number.
TRAIN, TEST = 0, 1


def layers_of(net: Any) -> list[Typed]:
    """All layers of a NetParameter, in any phase.

    Raises
    ------
    FormatError
        If the net has layers of the old format and of the new one, of Caffe's first format, or with rules of two kinds.
    """
    if net.layer and net.layers:
        raise FormatError(
            "has `layer` and `layers`, the new format and the old: want `layer` throughout, with types in quotes, such "
            'as type: "ReLU" in place of type: RELU.'
        )
    if any(layer.HasField("layer") for layer in net.layers):
        raise FormatError(
            "is of Caffe's first format (V0), which is not read here: convert it with Caffe's upgrade_net_proto_text."
        )
    of_v1 = [(v1_types().get(layer.type, str(layer.type)), layer) for layer in net.layers]
    layers = of_v1 + [(layer.type, layer) for layer in net.layer]
    for _, layer in layers:
        if layer.include and layer.exclude:
            raise FormatError(f"layer {layer.name!r} has include and exclude rules: want one of them, as Caffe does.")
    return layers


def stages_of(net: Any) -> frozenset[str]:
    """The stages that a net says it is in."""
    return frozenset(net.state.stage)


def is_included(layer: Any, stages: frozenset[str]) -> bool:
    """Whether a layer is there in phase TEST at level 0, Caffe's own for a net that is used, in these stages."""
    if layer.include:
        return any(_meets(rule, stages) for rule in layer.include)
    return not any(_meets(rule, stages) for rule in layer.exclude)


def _meets(rule: Any, stages: frozenset[str]) -> bool:
    wrong_phase = rule.HasField("phase") and rule.phase != TEST
    wrong_level = rule.min_level > 0 or (rule.HasField("max_level") and rule.max_level < 0)
    wrong_stage = not stages.issuperset(rule.stage) or not stages.isdisjoint(rule.not_stage)
    return not (wrong_phase or wrong_level or wrong_stage)
