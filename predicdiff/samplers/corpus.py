"""Photographs to make samplers from: scikit-image's own, several crops of each, or a folder of the user's."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Callable, Sequence

import numpy as np

from .. import budget
from ..errors import DependencyError, ImageError, InputWarning, SamplerError, warn
from ..files import as_path
from ..image_files import Intensity, check_intensity, read_picture
from ..images import LUMA, View, as_array, load_image
from ..scratch import Stack
from ..units import image_shape
from .streams import CROP, check_seed, generator

#: Photographs that lie in scikit-image's wheel, from 0.18 on, and the scene that each shows.
PHOTOGRAPHS = {
    "chelsea": ("chelsea.png", "cat"),
    "coffee": ("coffee.png", "cup"),
    "astronaut": ("astronaut.png", "portrait"),
    "rocket": ("rocket.jpg", "launch"),
    "motorcycle_left": ("motorcycle_left.png", "garage"),
    "motorcycle_right": ("motorcycle_right.png", "garage"),
    "hubble_deep_field": ("hubble_deep_field.jpg", "galaxies"),
}
#: Crops made of each scene.
CROPS = 8
#: Side of the smallest crop, as a part of the largest's. Photographs shown much enlarged are smoother than what a net
#: sees, and a Gaussian fitted to them is too sure of itself.
SMALLEST = 0.8


def bundled(
    exclude: np.ndarray | None = None, *, view: Callable[[np.ndarray], np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """The photographs in scikit-image's wheel, by name; read from its folder, never from the network.

    Parameters
    ----------
    exclude : (H, W, 3) array or PIL image, optional
        The explained image: left out where it is one of them, and with it what shows the same scene.
    view : callable, optional
        Where ``exclude`` is what a net sees of it, (C, h, w): RGB image (H, W, 3) -> pixels, e.g. ``net.view``.

    Returns
    -------
    dict of (H, W, 3) uint8 arrays

    Raises
    ------
    SamplerError
        If scikit-image has come without them.
    """
    explained = None if exclude is None else as_array(exclude)
    if explained is not None and (explained.dtype.kind not in "biuf" or explained.ndim < 2):
        raise ImageError(f"exclude is a {type(exclude).__name__}: want the explained image, an array or a PIL image.")
    folder = _data_folder()
    photographs = {}
    for name, (file, _) in PHOTOGRAPHS.items():
        try:
            photographs[name] = load_image(folder / file)
        except ImageError:
            continue
    same = []
    if explained is not None:
        seen = photographs if view is None else {name: view(image) for name, image in photographs.items()}
        same = [name for name, image in seen.items() if np.array_equal(image, explained)]
    gone = {PHOTOGRAPHS[name][1] for name in same}
    kept = {name: image for name, image in photographs.items() if PHOTOGRAPHS[name][1] not in gone}
    if not kept:
        raise SamplerError(
            f"no photographs in {folder}: this scikit-image came without. Give images of your own, both to explain "
            "and to draw from."
        )
    return kept


def crops(
    image: np.ndarray, shape: tuple[int, int], *, count: int = CROPS, seed: int = 0, number: int = 0
) -> np.ndarray:
    """Crops of a photograph at a net's input size: other places, other scales, every second one mirrored.

    The largest is as large as the photograph allows, the smallest four fifths as large, or of the net's size
    where that is more: nothing is enlarged that need not be.

    Parameters
    ----------
    image : (H, W, 3) array
    shape : (height, width)
        Of the crops; their proportions are kept.
    seed, number : int
        Of the random places; another number (of the photograph) gives others.

    Returns
    -------
    (count, 3, height, width) float32 array
        Pixels, 0..255.
    """
    size = np.array(image.shape[:2])
    largest = np.min(size / shape)
    smallest = min(largest, max(SMALLEST * largest, 1.0))
    pieces = []
    for index, scale in enumerate(np.linspace(largest, smallest, count)):
        part = np.clip(np.rint(np.array(shape) * scale).astype(int), 1, size)
        top, left = (generator(seed, number, index, purpose=CROP).random(2) * (size - part + 1)).astype(int)
        piece = image[top : top + part[0], left : left + part[1]]
        pieces.append(View("warp").apply(piece[:, ::-1] if index % 2 else piece, shape))
    return np.stack(pieces)


def default_corpus(
    shape: tuple[int, int, int],
    exclude: np.ndarray | None = None,
    *,
    view: Callable[[np.ndarray], np.ndarray] | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, list[str]]:
    """Crops of the bundled photographs, as many of each scene, and their names.

    Parameters
    ----------
    shape : (C, height, width)
        The net's input: three channels, or one, which gets the luma.
    exclude : (H, W, 3) array, optional
        The explained image: where it is one of the photographs no crop shows its scene. See `bundled`.
    view : callable, optional
        Where ``exclude`` is what a net sees of it, (C, h, w), see `bundled`.

    Returns
    -------
    (m, C, height, width) float32 array
        40 or 48 images.
    list of str
        ``"chelsea 0"``, ...

    Raises
    ------
    SamplerError
        If the net takes other than 1 or 3 channels, or there are no photographs.
    SettingsError, ImageError
        If that is no shape, or ``exclude`` no image.

    Examples
    --------
    >>> import predicdiff as pd
    >>> corpus, names = pd.default_corpus((3, 32, 32))
    >>> corpus.shape, names[0]
    ((48, 3, 32, 32), 'chelsea 0')
    """
    shape, seed = image_shape("shape", shape), check_seed(seed)
    if shape[0] not in (1, 3):
        raise SamplerError(
            f"the net's input is {tuple(shape)}, and the bundled photographs have 3 channels, or 1: "
            "give a corpus of your own for other arrays."
        )
    images, names = [], []
    photographs = bundled(exclude, view=view)
    scenes = [PHOTOGRAPHS[name][1] for name in photographs]
    # twice, since they are put into one array at the end
    wanted = 2 * 4 * 3 * shape[1] * shape[2] * CROPS * len(set(scenes))
    budget.ask(wanted, f"a corpus of images of {shape[1]} x {shape[2]} pixels", SamplerError)
    for number, (name, image) in enumerate(photographs.items()):
        count = CROPS // scenes.count(scenes[number])
        images.append(crops(image, (shape[1], shape[2]), count=count, seed=seed, number=number))
        names += [f"{name} {index}" for index in range(count)]
    corpus = np.concatenate(images)
    if shape[0] == 1:
        corpus = np.einsum("c,mchw->mhw", LUMA, corpus)[:, None].astype(np.float32)
    return corpus, names


def read_folder(
    path: str | Path, view: Callable[[np.ndarray], np.ndarray], *, intensity: Intensity = None
) -> tuple[np.ndarray, list[str], list[str]]:
    """Every image in a folder, as a net sees it, in the order of their names.

    Folders within it and hidden files are not looked at. Files that cannot be read are named in one `InputWarning`, and
    those whose black and white are in doubt in another. Images that take more than 64 MB together lie in a temporary
    file, not in memory (see `scratch`).

    Parameters
    ----------
    path : path of the folder
    view : callable
        RGB image (H, W, 3) -> pixels (C, h, w), e.g. ``net.view``.
    intensity : (low, high), optional
        Which values of greys are black and white, as for `images.load_image`; files of 8 bits say so themselves.

    Returns
    -------
    (m, C, h, w) float32 array
        One in a file cannot be written to.
    list of str
        Names of the files read.
    list of str
        One line for each file that was skipped: its name and why.

    Raises
    ------
    SamplerError
        If there is no such folder, fewer than two images can be read, they differ in shape, or no temporary file can be
        written.
    """
    path = as_path(path, "the folder")
    with Stack(f"{path}: images as the net sees them", np.float32) as stack:
        names, skipped, doubts = _read(_files(path), view, check_intensity(intensity), stack)
        if len(names) < 2:
            raise SamplerError(
                f"{path}: {len(names)} image(s) read, {len(skipped)} file(s) skipped{_first(skipped)}: "
                "want a folder with at least two images."
            )
        images = stack.whole()
    if skipped:
        warn(
            f"{path}: {len(skipped)} of {len(names) + len(skipped)} files skipped{_first(skipped)}.",
            InputWarning,
        )
    if doubts:
        warn(f"{path}: {len(doubts)} of {len(names)} images, such as {doubts[0]}", InputWarning)
    return images, names, skipped


def _read(
    files: Sequence[Path], view: Callable[[np.ndarray], np.ndarray], intensity: Intensity, stack: Stack
) -> tuple[list[str], list[str], list[str]]:
    """Names of the files that are images, and lines for those that are none, or whose white is in doubt.

    Their pixels are put on the stack.
    """
    names, skipped, doubts = [], [], []
    for file in files:
        try:
            picture = read_picture(file, intensity)
            pixels = np.asarray(view(picture.pixels), np.float32)
            budget.ask(2 * pixels.nbytes, f"{file}: the image as the net sees it", SamplerError)
            stack.add(pixels)
            names.append(file.name)
        except (DependencyError, ImageError) as error:
            skipped.append(f"{file.name}: {str(error).replace(f'{file}: ', '')}")
        else:
            doubts += [f"{file.name}: {' '.join(picture.remarks)}"] if picture.remarks else []
    return names, skipped, doubts


def _data_folder() -> Path:
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise SamplerError("scikit-image is not installed: `pip install scikit-image`, or give a corpus of your own.")
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def _files(path: Path) -> list[Path]:
    try:
        if not path.is_dir():
            raise SamplerError(f"{path}: no such folder. Give one that holds images, at least two.")
        return sorted(file for file in path.iterdir() if not file.is_dir() and not file.name.startswith("."))
    except OSError as error:
        raise SamplerError(f"{path}: the folder cannot be read ({error.strerror}).") from error


def _first(skipped: Sequence[str], most: int = 5) -> str:
    """The first few lines, for a message."""
    if not skipped:
        return ""
    more = f"; and {len(skipped) - most} more" if len(skipped) > most else ""
    return f" ({'; '.join(line.rstrip('.') for line in skipped[:most])}{more})"
