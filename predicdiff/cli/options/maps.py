"""What commands that make maps of a folder's images share: the folder, and how maps are made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from ...image_files import Intensity
from ...methods.prepared import default_sampler
from ...protocols import Net
from ...samplers.corpus import read_folder
from ...windows import SidesLike, WindowLike
from .base import Decorator, Options, option_field
from .shared import memory_field, samples_field, seed_field, stride_field, window_field
from .values import FOLDER, TEXT


@dataclass(frozen=True)
class Maps(Options):
    """The options that say how maps are made, in the words of the functions that make them."""

    window: WindowLike = window_field()
    samples: int = samples_field(default=4)
    stride: SidesLike | None = stride_field("Step between windows, at most k.  [default: 8, or k where that is less]")
    seed: int = seed_field()
    blob: str | None = option_field(
        "--blob",
        type=TEXT,
        help="The scores or probabilities that are explained.  [default: the probabilities]",
    )
    memory: int = memory_field()
    corpus: Path | None = option_field(
        "--corpus", type=FOLDER, help="Images that draws are fitted on.  [default: scikit-image's photographs]"
    )

    def settings(self, net: Net, intensity: Intensity = None) -> dict[str, Any]:
        """In the words of the functions, the corpus read and a sampler fitted on it."""
        settings = asdict(self)
        del settings["corpus"]
        if self.corpus is None:
            return settings
        images, names, _ = read_folder(self.corpus, net.view, intensity=intensity)
        sampler = default_sampler(net, window=self.window, seed=self.seed, images=(images, names))
        return {**settings, "sampler": sampler}


def folder_argument() -> Decorator:
    """The folder of images, which must be given."""
    return click.argument("folder", type=FOLDER, metavar="DIR")


def folder_images(net: Net, folder: Path, intensity: Intensity = None) -> dict[str, np.ndarray]:
    """The folder's images by their names, as the net sees them."""
    arrays, names, _ = read_folder(folder, net.view, intensity=intensity)
    return dict(zip(names, arrays))
