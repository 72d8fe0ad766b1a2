"""What several commands say of nets, images and results, as lines of text."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from .. import windows
from ..abilities import net_abilities
from ..classes import class_labels, head_with, heads_of, is_probabilities
from ..errors import SettingsError
from ..explanation import Explanation, extent
from ..precision import UNKNOWN, told_reliability
from ..protocols import Net
from ..readout import check_numbers
from ..targets import default_blob, highest, outcomes
from ..texts import one_line
from ..units import channels
from ..validation import is_number
from .options.net import NamedImage

#: Letters of a label in a table.
MOST_OF_LABEL = 100


class Row(NamedTuple):
    """A class, or another unit, and what the net gives it."""

    number: int
    label: str
    value: float


class Table(NamedTuple):
    """The highest rows of a blob; ``heading`` is empty where these are the only classes, one number each."""

    heading: str
    rows: list[Row]
    probabilities: bool


def seen_lines(net: Net, shown: NamedImage, count: int = 5) -> list[str]:
    """An image and a net in a line, then one for each of the top classes: index, label, probability.

    An ExplanationError if the net gives NaN.
    """
    return [_described(net, shown), *(line for table in tables(net, shown.image, count) for line in _lines(table))]


def _lines(table: Table) -> list[str]:
    number = max(len(str(row.number)) for row in table.rows)
    label = min(40, max(len(row.label) for row in table.rows))
    # of many labels, each for itself, all may be improbable
    form = ".4g" if not table.probabilities else ".3f" if table.rows[0].value >= 0.0005 else ".2g"
    lines = [f"  {row.number:>{number}}  {row.label:<{label}}  {row.value:{form}}" for row in table.rows]
    return [f"  {table.heading}:", *(f"  {line}" for line in lines)] if table.heading else lines


def _described(net: Net, shown: NamedImage) -> str:
    (height, width), (channels, rows, columns) = shown.image.shape[:2], net.input_shape
    colours = "" if channels == 3 else f" x {channels}"
    return f"{shown.said} ({height} x {width}), which {net.name} sees as {rows} x {columns}{colours}:"


def tables(net: Net, image: np.ndarray, count: int) -> list[Table]:
    """The highest probabilities of each output, or scores where it has none; of a net without classes its last blob."""
    heads = {head.blob for head in heads_of(net)}
    blobs = [blob for blob in net.blobs if blob in heads]  # labels go to outputs in this order
    values = net.forward(net.encode(net.view(image))[None], blobs or [default_blob(net)])
    return [_table(net, blob, array[0], count, alone=len(blobs) == 1) for blob, array in values.items()]


def _table(net: Net, blob: str, values: np.ndarray, count: int, *, alone: bool) -> Table:
    check_numbers(net, values, blob)
    if is_probabilities(net, blob) and not (values.min() >= -1e-4 and values.max() <= 1 + 1e-4):
        raise SettingsError(
            f"blob {blob!r} holds values from {values.min():.4g} to {values.max():.4g}, which are no probabilities: "
            "want another --output-is."
        )
    labels = class_labels(net, blob)
    classes, places, many = head_with(net, blob) is not None, values.shape[1:], channels(values.shape)
    alone_in_it = many == 1 and is_probabilities(net, blob)
    word = "class" if alone_in_it or (classes and many > 1) else "map" if places else "unit"
    best = highest(values, min(count, many))
    rows = [Row(i, one_line(labels[i], MOST_OF_LABEL) if labels else f"{word} {i}", value) for i, value in best]
    told = [] if classes else [f"the highest of {many} {word}{'s' * (many > 1)}"]
    told += ["one class against its absence"] if alone_in_it and outcomes(net, net_abilities(net), blob) == 2 else []
    told += [f"the mean over {' x '.join(map(str, places))} places"] if np.prod(places) > 1 else []
    return Table("" if alone and not told else ", ".join([blob, *told]), rows, is_probabilities(net, blob))


def target_lines(explanation: Explanation) -> list[str]:
    """A line for each target: its value, its map's range, its standard error."""
    unit = "bits" if explanation.unit == "bits" else "in activation"
    name = "p" if explanation.unit == "bits" else "value"
    lines = []
    for number, target in enumerate(explanation.targets):
        low, high = extent(explanation.relevance[number])
        title = addressed(target.title, f"{target.blob}{target.unit or [0]}")
        lines.append(
            f"{number}: {title}, {name} = {explanation.base[number]:.4g}: "
            f"from {low:.3g} to {high:.3g} {unit}, "
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
    grid = f"Stride {windows.told(asked['stride'])}, " if "stride" in asked else ""
    return f"{grid}S = {asked['samples']}: reliability {told} after {explanation.provenance['seconds']:.1f} s."


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
    return [f"{told}: {share:.0%} of the multiply-adds of dense passes." if is_number(share) else f"{told}."]


def _typical(stderr: np.ndarray) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all of it is NaN after a single draw
        middle = float(np.nanmedian(stderr))
    return "unknown" if np.isnan(middle) else f"{middle:.2g}"
