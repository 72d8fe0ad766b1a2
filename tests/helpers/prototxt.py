"""Layer records as the text of a prototxt, for Caffe to read."""

from __future__ import annotations

from typing import Any

from predicdiff.nets.caffe.records import NetSpec


def prototxt(spec: NetSpec) -> str:
    """A net whose inputs are Input layers, batches of one."""
    inputs = [
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {_dims((1, *shape))} }} }} }}'
        for name, shape in spec.inputs.items()
    ]
    layers = []
    for layer in spec.layers:
        names = [f'bottom: "{name}"' for name in layer.bottoms] + [f'top: "{name}"' for name in layer.tops]
        fields = [_field(name, value) for name, value in layer.params.items() if value]
        layers.append(" ".join([f'layer {{ name: "{layer.name}" type: "{layer.type}"', *names, *fields, "}"]))
    return "\n".join([f'name: "{spec.name}"', *inputs, *layers, ""])


def _dims(shape: tuple[int, ...]) -> str:
    return " ".join(f"dim: {size}" for size in shape)


def _field(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"{name} {{ {' '.join(_field(*item) for item in value.items())} }}"
    if isinstance(value, list):
        return " ".join(_field(name, item) for item in value)
    return f"{name}: {str(value).lower() if isinstance(value, bool) else value}"
