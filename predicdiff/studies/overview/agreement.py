"""How far two studies of the same images agree: two nets, two samplers, two settings.

Of each image both maps are read, compared and forgotten. What two maps of different images would have in common is the
null: each map of the second study is held against the first study's map of another image, too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...comparing.compare import compare
from ...comparing.comparison import Comparison
from ...errors import ExplanationError, ImageError, SettingsError
from ...explanation import Explanation
from ...protocols import Progress
from ...samplers.streams import check_seed
from ...units import check_progress, whole_number
from .agreed import Agreement, Pair, Side
from .matching import Match, Targets, common_targets, matches
from .results import Results, made_by, open_study

#: Part of the pixels whose overlap is taken.
TOP_PART = 0.05


def agreement(
    first: str | Path, second: str | Path, *, target: int = 0, seed: int = 0, progress: Progress | None = None
) -> Agreement:
    """Compare the maps of two studies, image by image.

    Images are the same where the SHA-256 of their files is, or, where a study has none, where their names are. Of
    several maps of an image those of a class that both have are compared. The second map is brought to the first one's
    pixels as `comparing.compare` does it: through the image where the nets saw different parts of it, else by resizing.

    Parameters
    ----------
    first, second : path
        Folders of two studies.
    target : int
        Which map of an image is preferred, where both have its class, and taken where they have no class in common.
    seed : int
        Of the order that says whose maps are held against each other as the null, and of the bootstrap.
    progress : callable, optional
        Called with (images compared, images to compare).

    Returns
    -------
    Agreement

    Raises
    ------
    ExplanationError
        If either is no study, they have no image in common, or no map of these can be compared.

    Warns
    -----
    InputWarning
        Of each result that is missing or damaged, or holds nothing that can be compared.
    """
    check_progress(progress)
    check_seed(seed)
    if whole_number("target", target) < 0:
        raise SettingsError(f"target = {target}: want a number from 0.")
    studies = open_study(first), open_study(second)
    found = matches(*(study.images for study in studies))
    if not found:
        raise ExplanationError(
            f"{first} and {second} have no image in common, neither by its content nor by its name: want two studies "
            "of the same images."
        )
    # each is held against the one before it, the first against the last: nobody against itself
    order = np.random.default_rng(seed).permutation(len(found))
    comparing = _Comparing(studies, target)
    for done, number in enumerate(order):
        comparing.take(int(number), found[number])
        if progress is not None:
            progress(done + 1, len(order))
    comparing.close()
    return _gathered(comparing, studies, found, target, seed)


def _gathered(
    comparing: _Comparing, studies: tuple[Results, Results], found: list[Match], target: int, seed: int
) -> Agreement:
    if not comparing.pairs:
        raise ExplanationError(
            f"{studies[0].folder} and {studies[1].folder}: none of the {len(found)} images that they have in common "
            "can be compared."
        )
    sides = [
        Side(study.folder, made, len(study.images) - len(found), study.lost)
        for study, made in zip(studies, comparing.made)
    ]
    return Agreement(
        first=sides[0], second=sides[1], pairs=[comparing.pairs[number] for number in sorted(comparing.pairs)],
        without=comparing.without, target=target, top=TOP_PART, seed=seed, notes=comparing.told_notes(),
    )  # fmt: skip


class _Comparing:
    """Pairs of maps, one after the other; of those that went by the first and the last are kept, for the null."""

    def __init__(self, studies: tuple[Results, Results], target: int) -> None:
        self.studies, self.target = studies, target
        self.pairs: dict[int, Pair] = {}
        self.made = ("", "")
        self.without = 0
        self.notes: dict[str, int] = {}
        self.opening: tuple[int, Explanation, Explanation, Targets] | None = None
        self.before: np.ndarray | None = None

    def take(self, number: int, match: Match) -> None:
        """Compare the maps of an image, and the second of them with the map of the image before."""
        loaded = [study.load(image) for study, image in zip(self.studies, match)]
        a, b = loaded
        if a is None or b is None:
            return
        targets = common_targets(a, b, self.target)
        if targets is None:
            self.without += 1
            return
        try:
            comparison = _compared(a, b, targets, self.before)
        except ImageError as error:
            self.studies[0].lose(f"{match.first.path} and {match.second.path}: {error}")
            return
        for note in comparison.notes:
            self.notes[note] = self.notes.get(note, 0) + 1
        self.pairs[number] = Pair(
            match, targets, (a.targets[targets.first].title, b.targets[targets.second].title), comparison.similarity,
            comparison.nulls[0] if comparison.nulls else None,
        )  # fmt: skip
        if self.opening is None:
            self.opening, self.made = (number, a, b, targets), (made_by(a), made_by(b))
        self.before = comparison.a

    def close(self) -> None:
        """Compare the first image's map with that of the last, too, where there are two."""
        if self.opening is not None and len(self.pairs) > 1:
            number, a, b, targets = self.opening
            null = _compared(a, b, targets, self.before).nulls[0]
            self.pairs[number] = self.pairs[number]._replace(null=null)

    def told_notes(self) -> list[str]:
        """What there is to say of how maps came together, and of how many images."""
        told = [(note[0].upper() + note[1:].rstrip("."), count) for note, count in self.notes.items()]
        return [f"{note} ({count} of {len(self.pairs)} images)." for note, count in told]


def _compared(a: Explanation, b: Explanation, targets: Targets, null: np.ndarray | None) -> Comparison:
    nulls = [] if null is None else [null]
    return compare(a, b, nulls=nulls, target=targets.first, other_target=targets.second, top=TOP_PART)
