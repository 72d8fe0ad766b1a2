"""Which images are meant: files, folders, patterns and lists of these."""

from __future__ import annotations

import codecs
import glob
import os
from pathlib import Path
from typing import Iterable, Iterator, Sequence

from ..errors import ImageError, InputWarning, warn
from ..image_files import begins_as_image

#: Endings of images beside those that Pillow knows.
FURTHER = frozenset({".dcm", ".dicom", ".heic", ".heif", ".hif"})
#: Endings of Pillow's that are rather something else.
OTHERS = frozenset({".h5", ".hdf", ".pdf", ".mpg", ".mpeg"})
#: Files that a warning names.
MOST_NAMED = 3


def listed(given: Iterable[str]) -> list[Path]:
    """The image files that are meant, each once, in the order in which they were given.

    Parameters
    ----------
    given : iterable of str
        Paths of files; of folders, whose images are taken in the order of their names, without those of folders within
        and without hidden ones; and patterns such as ``"PHOTOS/**/*.jpg"``, where no file has such a name.

    Raises
    ------
    ImageError
        If a folder or a pattern holds no image, or a name that ends as a folder's is of none.
    """
    found = [path for one in given for path in _meant(one)]
    # a folder has several names, such as ../here; a link to a file is one of its own
    folders = {folder: os.path.realpath(folder) for folder in {path.parent for path in found}}
    each: dict[tuple[str, str], Path] = {}
    for path in found:
        each.setdefault((folders[path.parent], path.name), path)
    return list(each.values())


def is_many(given: str) -> bool:
    """Whether a path stands for several images: it is a folder, or a pattern."""
    return os.path.isdir(given) or _is_pattern(given)


def lines_of(content: bytes, name: str) -> list[str]:
    """The paths in a list, one a line; empty lines are passed over.

    Raises
    ------
    ImageError
        If it holds none, or is no text.
    """
    content = content[len(codecs.BOM_UTF8) :] if content.startswith(codecs.BOM_UTF8) else content
    lines = [os.fsdecode(line) for line in content.splitlines() if line.strip()]
    if b"\0" in content or not lines:
        raise ImageError(f"{name}: want a text with the path of an image in each line.")
    return lines


def _meant(one: str) -> Sequence[Path]:
    if not one:
        raise ImageError("an image's name is empty: give the path of an image, a folder or a pattern.")
    if os.path.isdir(one):
        return _inside(Path(one))
    if not _is_pattern(one):
        if one.endswith(tuple(filter(None, (os.sep, os.altsep)))) and not os.path.lexists(one):
            raise ImageError(f"{one}: no such folder. Give the paths of images, a folder or a pattern.")
        return [Path(one)]
    matches = [Path(path) for path in sorted(glob.glob(one, recursive=True)) if not os.path.isdir(path)]
    if not matches:
        raise ImageError(f"{one}: no file has such a name. Give the paths of images, a folder or a pattern.")
    return matches


def _is_pattern(one: str) -> bool:
    return glob.has_magic(one) and not os.path.lexists(one)


def _inside(folder: Path) -> list[Path]:
    """The images in a folder, by their endings or, of files without one, by how they begin."""
    try:
        files = sorted(path for path in folder.iterdir() if not path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise ImageError(f"{folder}: the folder cannot be read ({error.strerror}).") from error
    endings = frozenset(_endings())
    images = [path for path in files if (path.suffix.lower() in endings if path.suffix else begins_as_image(path))]
    taken = set(images)
    others = [path.name for path in files if path not in taken]
    if not images:
        raise ImageError(f"{folder}: no image in this folder. Give one that holds images, or their paths.")
    if others:
        more = ", ..." if len(others) > MOST_NAMED else ""
        warn(
            f"{folder}: {len(others)} file(s) passed over whose endings are not those of images "
            f"({', '.join(others[:MOST_NAMED])}{more}).",
            InputWarning,
        )
    return images


def _endings() -> Iterator[str]:
    """The endings of files that can be read, as far as endings tell."""
    from PIL import Image

    yield from FURTHER
    known = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    yield from known - OTHERS
