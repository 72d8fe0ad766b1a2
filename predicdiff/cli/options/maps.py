"""What commands that make maps of a folder's images share: the folder, and how maps are made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from ...protocols import Net
from ...samplers.corpus import read_folder
from .base import Decorator, Options, option_field
from .values import FOLDER


@dataclass(frozen=True)
class Maps(Options):
    """The options that say how maps are made, in the words of the functions that make them."""

    window: int = option_field("-k", "--window", type=int, default=10, help="Side of a window, in pixels.")
    samples: int = option_field("-S", "--samples", type=int, default=4, help="Draws for each window.")
    stride: int = option_field("--stride", type=int, default=8, help="Step between windows, at most k.")
    seed: int = option_field("--seed", type=int, default=0, help="Of all that is drawn.")


def folder_argument() -> Decorator:
    """The folder of images, which must be given."""
    return click.argument("folder", type=FOLDER, metavar="DIR")


def folder_images(net: Net, folder: Path) -> dict[str, np.ndarray]:
    """The folder's images by their names, as the net sees them."""
    arrays, names, _ = read_folder(folder, net.view)
    return dict(zip(names, arrays))
