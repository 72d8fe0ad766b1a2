"""Which workers an analysis is given: those that were asked for, those of a Dask client that is there, or none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable, Union

import numpy as np

from ..errors import SettingsError
from .processes import Processes
from .protocol import Workers

#: A number of processes, "auto", or workers that somebody has made.
WorkersLike = Union[int, str, Workers]
AUTO = "auto"
#: Processes that one machine may be asked for.
MOST = 1024


@contextmanager
def chosen(asked: WorkersLike | None, worthwhile: Callable[[], int]) -> Iterator[Workers | None]:
    """The workers that are asked for, ended afterwards where they are ours; None where this process is to compute.

    Parameters
    ----------
    asked : int, "auto", Workers or None
        With 1 this process computes by itself, by as many threads as help. With None it does so too, unless a client of
        Dask is there, whose workers are taken then.
    worthwhile : callable
        How many processes "auto" stands for.

    Raises
    ------
    SettingsError
        If it is none of these.
    """
    if asked is None or not isinstance(asked, (int, str, np.integer)):
        yield _workers(asked)
        return
    count = worthwhile() if asked == AUTO else checked_count(asked)
    if count == 1:
        yield None
        return
    processes = Processes(count)
    try:
        yield processes
    finally:
        processes.close()


def checked_count(asked: WorkersLike) -> int:
    """A number of processes; a SettingsError unless it is one."""
    if isinstance(asked, bool) or not isinstance(asked, (int, np.integer)) or not 1 <= asked <= MOST:
        raise SettingsError(f"workers = {asked!r}: want a number of processes from 1 to {MOST}, or {AUTO!r}.")
    return int(asked)


def _workers(asked: Workers | None) -> Workers | None:
    if asked is None:
        return None
    if not callable(getattr(asked, "submit", None)) or not callable(getattr(asked, "send", None)):
        raise SettingsError(f"workers is a {type(asked).__name__}: want a number of processes, {AUTO!r}, or workers.")
    return asked
