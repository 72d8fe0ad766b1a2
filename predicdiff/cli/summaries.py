"""What several commands say of nets, images and results, as lines of text."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from .. import windows
from ..explanation import Explanation
from ..precision import UNKNOWN, told_reliability
from ..protocols import Net
from ..targets import class_blob, highest
from .options.net import NamedImage


class Class(NamedTuple):
    """A class and what the net gives it."""

    number: int
    label: str
    value: float


def seen_lines(net: Net, shown: NamedImage, count: int = 5) -> list[str]:
    """An image and a net in a line, then one for each of the top classes: index, label, probability."""
    classes = top_classes(net, shown.image, count)
    number = max((len(str(seen.number)) for seen in classes), default=1)
    label = min(40, max((len(seen.label) for seen in classes), default=1))
    return [
        _described(net, shown),
        *(f"  {seen.number:>{number}}  {seen.label:<{label}}  {_value(net, seen.value)}" for seen in classes),
    ]


def _described(net: Net, shown: NamedImage) -> str:
    name = shown.file or f"{shown.name}, a cat that scikit-image brings"
    (height, width), (channels, rows, columns) = shown.image.shape[:2], net.input_shape
    colours = "" if channels == 3 else f" x {channels}"
    return f"{name} ({height} x {width}), which {net.name} sees as {rows} x {columns}{colours}:"


def top_classes(net: Net, image: np.ndarray, count: int) -> list[Class]:
    """The classes with the highest probabilities, or scores where the net has none; empty if it has no classes."""
    blob = class_blob(net)
    if blob is None:
        return []
    values = net.forward(net.encode(net.view(image))[None], [blob])[blob][0]
    labels = net.labels if net.labels is not None and len(net.labels) == len(values) else None
    best = highest(values, min(count, len(values)))
    return [Class(i, labels[i] if labels else f"class {i}", value) for i, value in best]


def _value(net: Net, value: float) -> str:
    return f"{value:.3f}" if net.output is not None else f"{value:.4g}"


def target_lines(explanation: Explanation) -> list[str]:
    """A line for each target: its value, its map's range, its standard error."""
    unit = "bits" if explanation.unit == "bits" else "in activation"
    name = "p" if explanation.unit == "bits" else "value"
    lines = []
    for number, target in enumerate(explanation.targets):
        values = explanation.relevance[number]
        title = addressed(target.title, f"{target.blob}{target.unit}")
        lines.append(
            f"{number}: {title}, {name} = {explanation.base[number]:.4g}: "
            f"from {np.nanmin(values):.3g} to {np.nanmax(values):.3g} {unit}, "
            f"standard error {_typical(explanation.stderr[number])}{_reliability(explanation, number)}"
        )
    return lines


def _reliability(explanation: Explanation, number: int) -> str:
    """What interpolation leaves out, and how reliable the map is, where that is known."""
    told = ""
    if explanation.interpolation_error is not None:
        told += f", interpolation error {_typical(explanation.interpolation_error[number])}"
    reliability = told_reliability(explanation.pick(number).reliability)
    return told if reliability == UNKNOWN else f"{told}, reliability {reliability}"


def stage_line(explanation: Explanation) -> str:
    """How far a refined analysis has come."""
    asked, told = explanation.settings, told_reliability(explanation.reliability)
    return (
        f"Stride {windows.told(asked['stride'])}, S = {asked['samples']}: reliability {told} after "
        f"{explanation.provenance['seconds']:.1f} s."
    )


def addressed(name: str, where: str) -> str:
    """A unit's name and, where that is another thing, its place in the net."""
    return name if name == where else f"{name} ({where})"


def note_lines(explanation: Explanation) -> list[str]:
    """What a reader should know before trusting the maps."""
    return [f"Note: {note}" for note in explanation.notes]


def effort_lines(explanation: Explanation) -> list[str]:
    """How it was computed, of a net that says so."""
    provenance = explanation.provenance
    if "evaluation" not in provenance:
        return []
    evaluation = str(provenance["evaluation"])
    told = f"{evaluation[:1].upper()}{evaluation[1:]}"
    share = provenance.get("work_share")
    return [f"{told}." if share is None else f"{told}: {share:.0%} of the multiply-adds of dense passes."]


def _typical(stderr: np.ndarray) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all of it is NaN after a single draw
        middle = float(np.nanmedian(stderr))
    return "unknown" if np.isnan(middle) else f"{middle:.2g}"
