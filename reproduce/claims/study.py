"""What a claim is measured on: a net, the photographs that it is shown, and the samplers that draw for them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Sequence

import numpy as np

from predicdiff.plan import make_plan
from predicdiff.samplers.registry import Recipe, find
from predicdiff.samplers.saved import SavedSampler
from predicdiff.settings import Settings
from predicdiff.texts import name_of
from predicdiff.windows import usual_context

from .maps import Windows, evaluated, middle


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph as one net sees it.

    Attributes
    ----------
    name : str
    pixels : (C, H, W) float32 array
    unit : int
        The class that is explained: the net's first.
    probability : float
        That class's.
    corpus : (m, C, H, W) float32 array
        What is drawn from for it: none shows what this one shows.
    second : (m,) bool array
        Whether an image of the corpus belongs to the second of its halves.
    """

    name: str
    pixels: np.ndarray
    unit: int
    probability: float
    corpus: np.ndarray
    second: np.ndarray


@dataclass(eq=False)
class Study:
    """A net and the photographs that it is shown.

    Attributes
    ----------
    title : str
        The net's.
    folder : Path
        Where windows are kept.
    bundled : bool
        Whether photographs are the bundled scenes.
    only_kept : bool
        Whether no windows are evaluated, and `maps.NotKeptError` is raised in place of it.
    others : dict of str to Study
        The same of other nets, by title.
    """

    title: str
    net: Any
    photographs: Sequence[Photograph]
    folder: Path
    seed: int = 0
    bundled: bool = False
    only_kept: bool = False
    others: dict[str, Study] = field(default_factory=dict)
    _samplers: dict[tuple[Any, ...], SavedSampler] = field(default_factory=dict)

    @cached_property
    def subjects(self) -> list[Subject]:
        """Each photograph before the net."""
        return [Subject(self, number, self.net) for number in range(len(self.photographs))]

    def sampler(self, photograph: Photograph, kind: str, window: int, half: int | None) -> SavedSampler:
        """The sampler of a photograph's corpus, or of a half of it; photographs of one corpus share it."""
        corpus = photograph.corpus
        key = (id(corpus), kind, window, half)
        if key not in self._samplers:
            images = corpus if half is None else corpus[photograph.second == half]
            self._samplers[key] = find(kind).make(images, Recipe(usual_context(window), seed=self.seed))
        return self._samplers[key]


@dataclass(frozen=True, eq=False)
class Subject:
    """One photograph before one net: what a claim's ``measure`` gets.

    Attributes
    ----------
    study : Study
        What it belongs to: its net, its folder, the same of other nets.
    number : int
        Of the photograph among the study's.
    net : Net
        The study's, or another in its place, see `before`.
    variant : str
        A word for that other net, which names of files have; "" for the study's own.
    """

    study: Study
    number: int
    net: Any
    variant: str = ""

    @property
    def photograph(self) -> Photograph:
        """The photograph."""
        return self.study.photographs[self.number]

    @property
    def name(self) -> str:
        """The photograph's name."""
        return self.photograph.name

    @property
    def pixels(self) -> np.ndarray:
        """(C, H, W): what the net sees."""
        return self.photograph.pixels

    @property
    def unit(self) -> int:
        """The class that is explained: the net's first."""
        return self.photograph.unit

    @property
    def own_seed(self) -> tuple[int, int]:
        """What a photograph's own random choices are made from: of two nets' the same."""
        return self.study.seed, zlib.crc32(self.name.encode())

    @property
    def another(self) -> Subject:
        """The photograph after this one, or the first after the last."""
        return replace(self, number=(self.number + 1) % len(self.study.photographs))

    def before(self, net: Any, variant: str) -> Subject:
        """The same photograph, class and samplers before another net of the same input, such as one at random."""
        return replace(self, net=net, variant=variant)

    def counterpart(self, other: Study) -> Subject | None:
        """The same photograph in another net's study, where it is one of those; its class is that net's own."""
        return next((one for one in other.subjects if one.name == self.name), None)

    def sampler(self, kind: str = "conditional", window: int = 10, *, half: int | None = None) -> SavedSampler:
        """A sampler of the corpus that does not show this photograph, or of one half (0, 1) of that corpus."""
        return self.study.sampler(self.photograph, kind, window, half)

    def windows(
        self,
        kind: str = "conditional",
        window: int = 10,
        *,
        half: int | None = None,
        stream: int = 0,
        **how: Any,
    ) -> Windows:
        """Windows of the square in the middle, made once and kept.

        Parameters
        ----------
        kind : {"conditional", "marginal", "grey"}
        window : int
            k.
        half : {None, 0, 1}
            Draws of two halves are independent: each has streams of its own, and a half of the corpus of its own.
        stream : int
            Another number gives other draws.
        side, draws, stride : int
            As `line.Size` has them; a side beyond the image's takes all of it. By default 64, 2, 1.
        blob : str, optional
            By default the net's probabilities, and bits; ``net.scores`` gives differences of scores.
        units : sequence, optional
            By default the class that is explained.
        """
        asked = {"side": 64, "draws": 2, "stride": 1, "blob": None, "units": (self.unit,), **how}
        seed = 1000 * self.study.seed + 10 * stream + (0 if half is None else 1 + half)
        settings = Settings(
            window=window, samples=asked["draws"], stride=asked["stride"], blob=asked["blob"], units=asked["units"],
            seed=seed, between="none" if asked["stride"] <= window else "linear",
        )  # fmt: skip
        plan = make_plan(self.net, self.pixels, settings)
        analysis = plan.with_sampler(self.sampler(kind, window, half=half))
        origins = middle(self.pixels.shape[-2:], asked["side"], window=window, stride=asked["stride"])
        words = (f"k{window}", f"s{asked['stride']}", f"x{asked['draws']}", f"of{asked['side']}", plan.blob)
        name = name_of(self.name, kind, *words, *([self.variant] if self.variant else []))
        folder = self.study.folder / name_of(self.study.title)
        return evaluated(analysis, origins, folder, name, only_kept=self.study.only_kept)

    def halves(self, kind: str = "conditional", window: int = 10, **how: Any) -> tuple[Windows, Windows]:
        """`windows` of both halves: independent estimates of the same."""
        return self.windows(kind, window, half=0, **how), self.windows(kind, window, half=1, **how)
