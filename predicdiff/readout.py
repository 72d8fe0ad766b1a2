"""What is read off the net's answers: units of one blob, and how far they fall when a window is taken away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from . import evidence
from .abilities import NetAbilities
from .classes import heads_of, is_probabilities
from .errors import ExplanationError, SettingsError
from .explanation import Target
from .masks import masked
from .protocols import Net, Unit
from .settings import Settings
from .targets import find_targets, outcomes
from .units import lookup, read, whole_number


@dataclass(frozen=True, eq=False)
class Readout:
    """Targets and how they are measured.

    Attributes
    ----------
    targets : list of Target
    against : Unit or None
        What each of them is held against.
    base : (T,) float64 array
        The targets' values for the untouched image; (T + 1,) with the one that they are held against, the last.
    measure : {"evidence", "activation"}
    instances, classes : int
        N and K of Laplace's correction.
    places : (P,) int array or None
        Those of a map that each unit is averaged over.
    """

    targets: list[Target]
    against: Unit | None
    base: np.ndarray
    measure: str
    instances: int
    classes: int
    places: np.ndarray | None = None

    @property
    def blob(self) -> str:
        """The observed blob."""
        return self.targets[0].blob

    @property
    def units(self) -> list[Unit]:
        """The units that are read: the targets' and last the one they are held against."""
        return _units(self.targets, self.against, self.places)

    def difference(self, values: np.ndarray, *, sampled: float) -> evidence.Difference:
        """Differences (n, T) from values (n, S, units); ``sampled`` as for `evidence.weight_of_evidence`."""
        if self.measure == "activation":
            if self.against is None:
                return evidence.activation_difference(self.base, values, sampled=sampled)
            gaps = values[..., :-1] - values[..., -1:]
            return evidence.activation_difference(self.base[:-1] - self.base[-1:], gaps, sampled=sampled)
        n, k = self.instances, self.classes
        if self.against is None:
            return evidence.weight_of_evidence(self.base, values, instances=n, classes=k, sampled=sampled)
        base, draws = (self.base[:-1], self.base[-1:]), (values[..., :-1], values[..., -1:])
        return evidence.evidence_against(*base, *draws, instances=n, classes=k, sampled=sampled)


def make_readout(
    net: Net,
    abilities: NetAbilities,
    pixels: np.ndarray,
    blob: str,
    settings: Settings,
    places: np.ndarray | None = None,
) -> Readout:
    """Evaluate the untouched image, and find in its ``blob``, at some ``places`` of it, what the settings ask for."""
    lookup(net.blobs, blob)
    measure = _measure(net, blob, settings.measure)
    values = abilities.by_one_thread(lambda: _untouched(net, pixels, blob, settings.passes))
    check_numbers(net, values, blob)
    targets, against = find_targets(net, values[0], blob, settings, places)
    n = settings.training_instances
    instances = whole_number("training_instances N", net.training_instances if n is None else n)
    classes = outcomes(net, abilities, blob)
    if measure == "evidence":
        _check_probabilities(net, values[0], blob, instances, classes)
    base = read(values, _units(targets, against, places))[0]
    return Readout(targets, against, base, measure, instances, classes, places)


def _untouched(net: Net, pixels: np.ndarray, blob: str, passes: int) -> np.ndarray:
    """The blob (1, ...) of the untouched image, averaged over so many passes."""
    inputs = net.encode(pixels)[None]
    values = net.forward(inputs, [blob])[blob]
    if passes == 1:
        return values
    total = np.asarray(values, np.float64)
    for _ in range(passes - 1):
        total = total + net.forward(inputs, [blob])[blob]
    return total / passes


def check_numbers(net: Net, values: np.ndarray, blob: str) -> None:
    """Refuse an image for which the net gives no number."""
    wrong = int(np.isnan(values).sum())
    if wrong:
        raise ExplanationError(
            f"net {net.name!r} gives NaN for the image itself, in {wrong} of {values.size} values of blob {blob!r}: "
            "want numbers. Look whether the image is as the net wants it (its range, its preprocessing), and at its "
            "weights."
        )


def read_base(net: Net, pixels: np.ndarray, blob: str, units: Sequence[Unit]) -> np.ndarray:
    """Values of units (T,) for the untouched image."""
    return read(net.forward(net.encode(pixels)[None], [blob])[blob], units)[0]


def _units(targets: list[Target], against: Unit | None, places: np.ndarray | None) -> list[Unit]:
    units = [tuple(target.unit) for target in targets] + ([] if against is None else [against])
    return [masked(unit, places, targets[0].blob) for unit in units]


def _measure(net: Net, blob: str, measure: str | None) -> str:
    probabilities = is_probabilities(net, blob)
    if measure == "evidence" and not probabilities:
        known = [repr(head.output) for head in heads_of(net) if head.output is not None]
        where = " or ".join(known) or "a blob of probabilities, which this net lacks"
        raise SettingsError(
            f"net {net.name!r}: weight of evidence was asked of blob {blob!r}, "
            f"which holds no probabilities: want {where}."
        )
    return measure or ("evidence" if probabilities else "activation")


def _check_probabilities(net: Net, values: np.ndarray, blob: str, instances: int, classes: int) -> None:
    """Refuse what a net calls probabilities and is none: their log-odds would be NaN, or worse, a number."""
    if classes < 2:
        raise SettingsError(
            f"net {net.name!r}: weight of evidence was asked of blob {blob!r}, "
            "which holds one class, whose probability is always 1. "
            "Explain the scores before it, or load the net with them as its output (--output-blob, output=) and "
            "--output-is sigmoid (output_is='sigmoid')."
        )
    corrected = evidence.laplace(values, instances=instances, classes=classes)
    if not (corrected.min() > 0 and corrected.max() < 1):
        raise SettingsError(
            f"net {net.name!r}: weight of evidence was asked of blob {blob!r}, "
            f"which holds values from {values.min():.4g} to "
            f"{values.max():.4g}: want probabilities. Give measure='activation', or load the net with what it ends in "
            "(--output-is, output_is=)."
        )
