"""One image of many: where it comes from, how it is to be explained, and what becomes of it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, NamedTuple

from ..budget import within
from ..errors import DependencyError, ImageError, PredicdiffError, collecting, first_line
from ..executors.tiles import Executor
from ..explanation import Explanation
from ..image_files import Content, Intensity, content_of
from ..images import load_image
from ..plan import Analysis, make_plan
from ..protocols import Net, Sampler
from ..settings import Settings
from ..targets import numbers_of

#: Held while an image is read and planned, and while one is warned of: net and sampler are asked by one thread at once,
#: and filters of warnings, which are changed meanwhile, are those of all threads.
PLANNING = threading.RLock()
#: Held while a picture is drawn: settings of matplotlib are those of all threads, of which a worker may have several.
_drawing = threading.Lock()
#: What keeps a file from being read, and concerns no other.
OF_THE_IMAGE = (ImageError, DependencyError)


class Item(NamedTuple):
    """An image of many.

    Attributes
    ----------
    number : int
        Its place among them, from 0.
    name : str
        What it is called.
    source : path or image
        As `explain` and `load_image` take them.
    """

    number: int
    name: str
    source: Any


class Outcome(NamedTuple):
    """What became of an image, and what was made of its explanation.

    Attributes
    ----------
    item : Item
    made : object
        None where it failed.
    error : str
        One sentence then.
    warned : tuple of (str, type of Warning)
        What was warned of meanwhile, each sentence once.
    sha256 : str
        Of the image's file, in hexadecimal digits; empty of an image that came without one.
    seconds : float
        From the reading of the file on.
    """

    item: Item
    made: Any
    error: str = ""
    warned: tuple[tuple[str, type[Warning]], ...] = ()
    sha256: str = ""
    seconds: float = 0.0


#: Makes of an item, the SHA-256 of its file and its explanation what is wanted; workers call it, so it is pickled.
Then = Callable[[Item, str, Explanation], Any]


@dataclass(frozen=True)
class Wish:
    """How each image is to be explained, and what of that is kept.

    Attributes
    ----------
    settings : Settings
    memory, batch_size : int
        As of `explain`.
    intensity : (low, high) or None
        As of `load_image`.
    then : callable or None
        What is made of each explanation where it was computed; None keeps the explanation itself.
    """

    settings: Settings
    memory: int
    batch_size: int | None = None
    intensity: Intensity = None
    then: Then | None = None


def outcome_of(
    net: Net,
    sampler: Sampler,
    item: Item,
    wish: Wish,
    run: Callable[[Analysis, Executor], Explanation],
    executor: Executor,
    *,
    ends: Callable[[Exception], bool],
) -> Outcome:
    """An image, read, planned, explained by ``run``, and made into what is wanted.

    An error of which ``ends`` says so is raised, and any other is what became of the image.
    """
    started, digest = time.perf_counter(), ""
    made: Any
    with within(wish.memory), collecting() as warned:
        try:
            read = _read(item)
            digest = read.source.sha256 if isinstance(read.source, Content) else ""
            with PLANNING:
                image = _image(read, wish.intensity)
                analysis = make_plan(net, image, wish.settings).with_sampler(sampler)
            made, error = run(analysis, executor), ""
            if wish.then is not None:
                with _drawing:
                    made = wish.then(item, digest, made)
        except Exception as wrong:  # anybody's net and sampler may raise anything
            if ends(wrong):
                raise
            made, error = None, _why(wrong)
    return Outcome(item, made, error, tuple(dict.fromkeys(warned)), digest, time.perf_counter() - started)


def _why(wrong: Exception) -> str:
    """Why there is no explanation, in a sentence."""
    if isinstance(wrong, PredicdiffError):
        return str(wrong)
    if isinstance(wrong, MemoryError):
        return "memory ran out for this image: free some, or make it smaller."
    return f"the net or the sampler failed ({type(wrong).__name__}: {first_line(wrong)})."


def _read(item: Item) -> Item:
    """The item with its file's content, which other machines may have no way to."""
    if not isinstance(item.source, (str, Path)):
        return item
    return item._replace(source=content_of(item.source))


def sendable(item: Item) -> Item:
    """The item with its file's content, or as an array, which can be pickled whatever it was."""
    read = _read(item)
    return read if isinstance(read.source, Content) else read._replace(source=numbers_of(read.source))


def _image(item: Item, intensity: Intensity) -> Any:
    try:
        return load_image(item.source, intensity=intensity) if isinstance(item.source, Content) else item.source
    except DependencyError as error:  # what reads this format is not there; other images may be of others
        raise ImageError(str(error)) from error
