"""What commands that make maps of a folder's images share: the folder, and how maps are made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from ...image_files import Intensity
from ...protocols import Net
from ...samplers.corpus import read_folder
from ...windows import SidesLike
from .base import Decorator, Options
from .shared import samples_field, seed_field, stride_field, window_field
from .values import FOLDER


@dataclass(frozen=True)
class Maps(Options):
    """The options that say how maps are made, in the words of the functions that make them."""

    window: SidesLike = window_field()
    samples: int = samples_field(default=4)
    stride: int = stride_field(default=8)
    seed: int = seed_field()


def folder_argument() -> Decorator:
    """The folder of images, which must be given."""
    return click.argument("folder", type=FOLDER, metavar="DIR")


def folder_images(net: Net, folder: Path, intensity: Intensity = None) -> dict[str, np.ndarray]:
    """The folder's images by their names, as the net sees them."""
    arrays, names, _ = read_folder(folder, net.view, intensity=intensity)
    return dict(zip(names, arrays))
