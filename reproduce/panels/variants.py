"""Settings of conditional sampling that are tried on a paper's panels, and the samplers that some of them take."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from predicdiff.presets import LIKES, Like
from predicdiff.protocols import Json
from predicdiff.samplers.gaussian import GaussianSampler
from predicdiff.windows import Sides, SidesLike

PAPER, AUTHORS = LIKES["paper"], LIKES["authors"]
#: How the corpus's photographs are brought to the net's size: as the net's images are, cut out of their middle, or as
#: the net's, then made as small as the panel's input and enlarged like it.
VIEWS = ("net", "crop", "small")


@dataclass(frozen=True)
class Variant:
    """One setting: what differs from the paper's.

    Attributes
    ----------
    noise : float
        What the draws' deviations from their mean are multiplied with.
    centred : bool
        Whether the window lies in the middle of its context, or in the context's top left corner.
    enlargement : str
        How the input is enlarged, a name of `ENLARGEMENTS`.
    window : int or None
        k in place of the panel's.
    scores : bool
        Whether the score before the softmax is explained in place of the probability.
    seed : int
        What is added to the seed.
    """

    name: str
    like: Like = PAPER
    view: str = "net"
    noise: float = 1.0
    centred: bool = True
    enlargement: str = "bicubic"
    window: int | None = None
    scores: bool = False
    seed: int = 0


#: How an input is brought to the net's size: Pillow's filters, the last with an unsharp mask behind it.
ENLARGEMENTS = {
    "bicubic": Image.BICUBIC, "bilinear": Image.BILINEAR, "lanczos": Image.LANCZOS, "nearest": Image.NEAREST,
    "sharpened": Image.BICUBIC,
}  # fmt: skip

VARIANTS = (
    Variant("as in the paper"),
    Variant("as in the paper, other draws", seed=1),
    Variant("clipped to 0..255", replace(PAPER, clip=(0.0, 255.0))),
    Variant("clipped to the corpus's range", replace(PAPER, clip="corpus")),
    Variant("each colour by itself", replace(PAPER, channels="independent")),
    Variant("the first colour's covariance for all", replace(PAPER, channels="authors")),
    Variant("l = 12", replace(PAPER, margin=2)),
    Variant("l = 18", replace(PAPER, margin=8)),
    Variant("window in its context's corner", centred=False),
    Variant("corpus not resized", view="crop"),
    Variant("corpus as small as the input", view="small"),
    Variant("draws' deviations halved", noise=0.5),
    Variant("the draws' mean alone", noise=0.0),
    Variant("k = 5, l = 9", window=5),
    Variant("input enlarged bilinearly", enlargement="bilinear"),
    Variant("input enlarged by Lanczos's filter", enlargement="lanczos"),
    Variant("input's pixels repeated", enlargement="nearest"),
    Variant("input sharpened", enlargement="sharpened"),
    Variant("the score before the softmax", scores=True),
    Variant("as the authors", AUTHORS, view="crop"),
    Variant("as the authors, corpus resized", AUTHORS),
    Variant("as the authors, corpus as small as the input", AUTHORS, view="small"),
)


class Cornered(GaussianSampler):
    """A sampler whose windows lie in the top left corner of their contexts, as far as the border allows."""

    def _corners(self, pixels: np.ndarray, origins: np.ndarray, window: Sides) -> np.ndarray:
        return np.minimum(origins, np.array(pixels.shape[1:]) - self.mean.shape[1:])

    @property
    def provenance(self) -> Json:
        """With the contexts' place."""
        return {**super().provenance, "place": "corner"}


class Narrowed:
    """A Gaussian sampler's draws with deviations from their mean that are ``factor`` times as large."""

    def __init__(self, base: GaussianSampler, factor: float) -> None:
        self.base, self.factor, self.context = base, factor, base.context

    @property
    def provenance(self) -> Json:
        """The sampler's, and the factor."""
        return {**self.base.provenance, "deviations": self.factor}

    def draw(
        self, pixels: np.ndarray, origins: np.ndarray, *, window: SidesLike, samples: int, seed: int
    ) -> np.ndarray:
        """As `GaussianSampler.draw`."""
        draws = self.base.draw(pixels, origins, window=window, samples=samples, seed=seed)
        means = [self.base.moments(pixels, (int(row), int(column)), window=window)[0] for row, column in origins]
        middle = np.array(means, np.float32)[:, None]
        return np.asarray(middle + self.factor * (draws - middle), np.float32)
