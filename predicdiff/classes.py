"""Classes of a net: the outputs that hold them, and their names."""

from __future__ import annotations

from typing import Sequence

from .abilities import net_abilities
from .errors import SettingsError
from .protocols import Head, Net, Unit, UnitLike
from .texts import near
from .units import channels, check_unit, lookup


def heads_of(net: Net) -> list[Head]:
    """All outputs of classes that a net has, first the one that it names itself."""
    abilities = net_abilities(net)
    first, *others = abilities.class_heads or [Head()]
    return [Head(net.scores, net.output, first.outcomes or abilities.outcomes, net.labels), *others]


def head_with(net: Net, blob: str) -> Head | None:
    """The output that a blob of scores or of probabilities belongs to; None of other blobs."""
    return next((head for head in heads_of(net) if blob in (head.output, head.scores)), None)


def scores_behind(net: Net, blob: str) -> str | None:
    """The scores that a blob of probabilities is made of, where they are known."""
    return next((head.scores for head in heads_of(net) if blob == head.output), None)


def is_probabilities(net: Net, blob: str) -> bool:
    """Whether a blob holds the probabilities of one of the net's outputs."""
    return any(blob == head.output for head in heads_of(net))


def find_unit(net: Net, blob: str, unit: UnitLike) -> Unit:
    """A unit of a net's blob as `check_unit` gives it; a class of the net by its name too, see `class_index`."""
    shape = lookup(net.blobs, blob)
    if not isinstance(unit, str):
        return check_unit(shape, unit, blob=blob)
    labels = class_labels(net, blob)
    if labels is None:
        raise SettingsError(
            f"unit {unit!r}: no names are known of the units of blob {blob!r}. Give an index, or a blob of classes and "
            "their labels."
        )
    try:
        return (class_index(labels, unit),)
    except SettingsError as error:
        others = [str(head.blob) for head in heads_of(net) if head.labels is not None and _has(head.labels, unit)]
        if not others:
            raise
        raise SettingsError(
            f"no class of blob {blob!r} is called {unit!r}, but one of {' and of '.join(map(repr, others))} is: give "
            "that blob."
        ) from error


def _has(labels: Sequence[str], name: str) -> bool:
    """Whether a class is called so."""
    try:
        return class_index(labels, name) >= 0
    except SettingsError:
        return False


def class_labels(net: Net, blob: str) -> Sequence[str] | None:
    """A name for each class, if the blob is one of classes and the net knows their names."""
    head = head_with(net, blob)
    labels = None if head is None else head.labels
    return labels if labels is not None and len(labels) == channels(net.blobs[blob]) else None


def class_index(labels: Sequence[str], name: str) -> int:
    """The index of the class that is called so: by its whole label, or by one of the names that commas part in it.

    Small and capital letters, and spaces around names, make no difference.

    >>> labels = ["tabby, tabby cat", "Egyptian cat"]
    >>> class_index(labels, "Tabby"), class_index(labels, "egyptian cat")
    (0, 1)

    Raises
    ------
    SettingsError
        If there is none, or more than one.
    """
    indices: dict[str, set[int]] = {}
    spelling: dict[str, str] = {}
    for index, label in enumerate(map(str, labels)):
        for alias in (label, *label.split(",")):
            indices.setdefault(_folded(alias), set()).add(index)
            spelling.setdefault(_folded(alias), alias.strip())
    found = sorted(indices.get(_folded(name), ()))
    if not found:
        similar = _similar(_folded(name), list(indices))
        told = "; ".join(spelling[alias] for alias in similar)
        hint = f"Near names: {told}." if similar else "`net.labels` has all names."
        raise SettingsError(f"no class is called {name!r}. {hint} A class may be given by its number too.")
    if len(found) > 1:
        told = ", ".join(f"{index} ({labels[index]})" for index in found)
        raise SettingsError(f"more than one class is called {name!r}: {told}. Give one of these numbers.")
    return found[0]


def _similar(name: str, names: Sequence[str]) -> list[str]:
    """Those that hold the name as a whole word, then those that are spelt nearly like it, five at most."""
    holding = [other for other in names if name and f" {name} " in f" {other} "]
    return list(dict.fromkeys([*holding, *near(name, names, 5, cutoff=0.5)]))[:5]


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())
