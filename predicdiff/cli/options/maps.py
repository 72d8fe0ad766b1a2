"""What commands that make maps of a folder's images share: the folder, and how maps are made."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from ...protocols import Net
from ...samplers.corpus import read_folder
from .base import Callback, Decorator, option
from .values import FOLDER


def folder_argument() -> Decorator:
    """The folder of images, which must be given."""
    return click.argument("folder", type=FOLDER, metavar="DIR")


def folder_images(net: Net, folder: Path) -> dict[str, np.ndarray]:
    """The folder's images by their names, as the net sees them."""
    arrays, names, _ = read_folder(folder, net.view)
    return dict(zip(names, arrays))


def map_options() -> Decorator:
    """How maps are made."""

    def decorate(command: Callback) -> Callback:
        for add in (
            option("--seed", type=int, default=0, show_default=True, help="Of all that is drawn."),
            option("--stride", type=int, default=8, show_default=True, help="Step between windows, at most k."),
            option("-S", "--samples", type=int, default=4, show_default=True, help="Draws for each window."),
            option("-k", "--window", type=int, default=10, show_default=True, help="Side of a window, in pixels."),
        ):
            command = add(command)
        return command

    return decorate
