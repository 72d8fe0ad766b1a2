"""What an ONNX file says of itself besides its layers: names of classes, and which values images have.

Image.BitmapPixelFormat and Image.NominalPixelRange are ONNX's own (its MetadataProps.md); names, classes, labels and
class_names are what exporters write.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ...errors import InputWarning, warn
from ..labels import MOST_LETTERS
from ..preprocessing import Preprocessing

LABELS = ("names", "classes", "class_names", "labels")
FORMAT, RANGE = "Image.BitmapPixelFormat", "Image.NominalPixelRange"
#: raw_scale, mean and scale of each range of pixels.
RANGES: dict[str, tuple[float, float, float]] = {
    "NominalRange_0_255": (255.0, 0.0, 1.0),
    "Normalized_0_1": (1.0, 0.0, 1.0),
    "Normalized_1_1": (1.0, 0.5, 2.0),
    "NominalRange_16_235": (219.0, -16.0, 1.0),
}


def properties(model: Any) -> dict[str, str]:
    """A model's properties, texts by their names."""
    return {one.key: one.value for one in model.metadata_props}


def labels_of(about: Mapping[str, str], classes: int | None) -> list[str] | None:
    """Names of the classes, if properties hold as many; a list or dict, as JSON or Python write it, or commas."""
    for key in LABELS:
        if key in about and len(about[key]) <= MOST_LETTERS:  # more are no names, and take minutes to be read
            names = _names(about[key])
            if classes is None or len(names) == classes:
                return names
    return None


def preprocessing_of(about: Mapping[str, str], name: str) -> Preprocessing | None:
    """What properties say of pixels; None if they don't."""
    if RANGE not in about and FORMAT not in about:
        return None
    kind = about.get(RANGE, "NominalRange_0_255")
    if kind not in RANGES:
        warn(f"{name}: says {RANGE} {kind}, which is not known, so pixels are its inputs.", InputWarning)
        return None
    raw_scale, mean, scale = RANGES[kind]
    order = "bgr" if about.get(FORMAT, "").lower().startswith("bgr") else "rgb"
    return Preprocessing(channels=order, raw_scale=raw_scale, mean=None if mean == 0 else [mean], scale=scale)


def _names(text: str) -> list[str]:
    held: Any = None
    for read in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            held = read(text)
            break
    if isinstance(held, Mapping):
        return [str(held[index]) for index in sorted(held, key=_number)]
    if isinstance(held, (list, tuple)):
        return [str(name) for name in held]
    return [name.strip() for name in text.split(",")]


def _number(index: Any) -> float:
    return float(index) if str(index).isdigit() else float("inf")
