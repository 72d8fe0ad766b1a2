"""Every exception of predicdiff; the command line turns each into one sentence and exit status 2; and warnings."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

from .texts import one_line, shown

#: Characters of a line of a message, and of all of it: a name of 10 MB makes no message of 10 MB.
MOST_OF_LINE, MOST = 2000, 8000


class PredicdiffError(Exception):
    """Base of all errors that a user can mend: the message says what was wanted, what came, what to do.

    Each argument is one line of it. What a file or a server has put into one can neither steer a terminal nor begin a
    line of its own: control characters and line breaks are escaped, and of a long line the middle is left out.

    Examples
    --------
    >>> import predicdiff as pd
    >>> try:
    ...     pd.load_image("nowhere.png")
    ... except pd.PredicdiffError as error:
    ...     print(type(error).__name__)
    ImageError
    """

    def __init__(self, *lines: object) -> None:
        super().__init__(*(one_line(line, MOST_OF_LINE) for line in lines))

    def __str__(self) -> str:
        return shown("\n".join(self.args), MOST)


class SettingsError(PredicdiffError, ValueError):
    """A setting is out of its range or contradicts another (S < 1, stride > k, evidence of a score)."""


class WindowError(SettingsError):
    """A window, its context or its stride does not fit the image."""


class BlobError(PredicdiffError, LookupError):
    """The net has no such blob, or the blob no such unit."""


class ImageError(PredicdiffError):
    """An image cannot be read, or has the wrong shape for the net."""


class FormatError(PredicdiffError):
    """A prototxt, caffemodel, mean or manifest is damaged or of another kind."""


class LayerError(FormatError):
    """A layer is of an unknown type or its parameters contradict its input."""


class WeightsError(PredicdiffError):
    """Weights are missing, fail their hash, or belong to another net."""


class DownloadError(PredicdiffError):
    """No host gave the file."""


class SamplerError(PredicdiffError):
    """A sampler cannot be fitted to, or drawn for, what it was given."""


class ExplanationError(PredicdiffError):
    """A result or its unfinished tiles cannot be read, written or continued."""


class DependencyError(PredicdiffError, ImportError):
    """An optional package is not installed; the message says which command installs it."""


class OutOfMemoryError(PredicdiffError, MemoryError):
    """A batch did not fit into memory; `explain` halves it and tries again."""

    def __new__(cls, *lines: object) -> OutOfMemoryError:
        """As other errors are made: Python makes MemoryError in a way of its own, which some picklers stumble over."""
        return PredicdiffError.__new__(cls, *lines)


class ConfidenceWarning(UserWarning):
    """The net is so sure that Laplace's correction flattens the weight of evidence."""


class InputWarning(UserWarning):
    """What came can be used, but perhaps not as it was meant (no mean given, images skipped)."""


def first_line(error: BaseException) -> str:
    """An exception's message in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


#: What is not warned of at this moment, in this thread alone: the filters of `warnings` are those of all threads.
_silent: ContextVar[tuple[type[Warning], ...]] = ContextVar("silent", default=())


@contextmanager
def without(category: type[Warning]) -> Iterator[None]:
    """Leave out this package's own warnings of a kind, in this thread and until the end of the block."""
    token = _silent.set((*_silent.get(), category))
    try:
        yield
    finally:
        _silent.reset(token)


#: Where warnings are put instead of being said, in the work that somebody else asked for.
_collected: ContextVar[list[tuple[str, type[Warning]]] | None] = ContextVar("collected", default=None)


@contextmanager
def collecting() -> Iterator[list[tuple[str, type[Warning]]]]:
    """Put this package's warnings into a list, for others to say, until the end of the block; threads join in."""
    found: list[tuple[str, type[Warning]]] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line outside of this package that called into it, however deep inside the reason came to light.

    The message is made one harmless line, as an error's is.
    """
    if issubclass(category, _silent.get()):
        return
    collected = _collected.get()
    if collected is not None:
        collected.append((message, category))
        return
    level = 1
    frame: FrameType | None = sys._getframe()
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == __package__:
        level, frame = level + 1, frame.f_back
    warnings.warn(one_line(message, MOST_OF_LINE), category, stacklevel=level)
