"""Which images, and which of their maps, two studies have in common."""

from __future__ import annotations

from typing import NamedTuple, Sequence

from ...explanation import Explanation
from .results import Image


class Match(NamedTuple):
    """The same image in two studies."""

    first: Image
    second: Image


def matches(first: Sequence[Image], second: Sequence[Image]) -> list[Match]:
    """Images with the same SHA-256, or, where one of the two has none, with the same file name; each is taken once.

    Of several with the same content one of the same name is taken before others.
    """
    by_hash = _Pool(second, "sha256")
    found = [Match(image, other) for image in first for other in by_hash.take(image.sha256, image.name)]
    mine, theirs = ({getattr(match, side).path for match in found} for side in Match._fields)
    by_name = _Pool([image for image in second if image.path not in theirs], "name")
    for image in first:
        if image.path not in mine:
            found += [Match(image, other) for other in by_name.take(image.name, image.name, unlike=image.sha256)]
    places = {image.path: place for place, image in enumerate(first)}
    return sorted(found, key=lambda match: places[match.first.path])


class _Pool:
    """Images by what they are looked for with, each of which is given away once."""

    def __init__(self, images: Sequence[Image], by: str) -> None:
        self.images: dict[str, list[Image]] = {}
        for image in images:
            self.images.setdefault(getattr(image, by), []).append(image)

    def take(self, key: str, name: str, *, unlike: str = "") -> list[Image]:
        """The one that goes with a key, or none; not one that has another hash than an image that has one itself."""
        held = self.images.get(key, []) if key else []
        serving = [image for image in held if not (unlike and image.sha256)]
        chosen = sorted(serving, key=lambda image: image.name != name)[:1]
        for image in chosen:
            held.remove(image)
        return chosen


class Targets(NamedTuple):
    """The numbers of two maps of one image, and whether they are of one class."""

    first: int
    second: int
    alike: bool


def common_targets(first: Explanation, second: Explanation, wanted: int) -> Targets | None:
    """The maps of the same class in both, that of the first one's target ``wanted`` before others.

    Without a class in common those with the number ``wanted``; None where either has no such.
    """
    others = {target.title: number for number, target in reversed(list(enumerate(second.targets)))}
    for number in sorted(range(len(first)), key=lambda number: number != wanted):
        title = first.targets[number].title
        if title in others:
            return Targets(number, others[title], True)
    return Targets(wanted, wanted, False) if wanted < min(len(first), len(second)) else None
