"""How many bytes of memory may be taken: one bound, which is asked before anything large is made.

Files say how large they are long before they are read, nets before anything runs through them. Whoever is about to make
something whose size stands in a file or an option asks first, so that too much ends in a sentence and not in a machine
that stands still. What one step makes is held against the bound, and not the sum of all that there is: the program
itself and the net's weights come on top.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from .errors import PredicdiffError, SettingsError

#: Bytes that a run may take by default: what the paper's machine had.
MEMORY = 4 * 10**9

#: What to do where nothing else is said.
ADVICE = "Make it smaller, or allow more memory (--memory)"

UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"))

_allowed: ContextVar[int] = ContextVar("allowed", default=MEMORY)


def room() -> int:
    """Bytes that may be taken."""
    return _allowed.get()


@contextmanager
def within(memory: int) -> Iterator[None]:
    """Allow so many bytes, in this thread and until the end of the block."""
    token = _allowed.set(int(memory))
    try:
        yield
    finally:
        _allowed.reset(token)


def ask(wanted: float, what: str, error: type[PredicdiffError] = SettingsError, advice: str = "") -> None:
    """Refuse what would take more bytes than may be taken.

    Parameters
    ----------
    wanted : float
        Bytes.
    what : str
        What takes them, as the subject of a sentence: ``"photo.png: the image of 13000 x 13000 pixels"``.
    error : type of PredicdiffError
    advice : str
        What to do, without a full stop; by default to make it smaller or to allow more.

    Raises
    ------
    ``error``
    """
    if wanted > room():
        raise error(f"{what} wants {size(wanted)} of memory, and {size(room())} are allowed. {advice or ADVICE}.")


def size(count: float) -> str:
    """Bytes in words.

    >>> size(12.34e9), size(250_000)
    ('12.3 GB', '0.25 MB')
    """
    unit, name = next((unit, name) for unit, name in UNITS if count >= unit or name == UNITS[-1][1])
    return f"{count / unit:.3g} {name}"
