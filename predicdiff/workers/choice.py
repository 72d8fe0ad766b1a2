"""Which workers an analysis is given: those that were asked for, those of a Dask client that is there, or none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, Union

import numpy as np

from ..errors import SettingsError
from .clients import current_client, is_client
from .dask import DaskWorkers
from .processes import Processes
from .protocol import Workers

#: A number of processes, "auto", workers that somebody has made, or a client of Dask.
WorkersLike = Union[int, str, Workers, Any]
AUTO = "auto"
#: Processes that one machine may be asked for.
MOST = 1024


@contextmanager
def chosen(asked: WorkersLike | None, worthwhile: Callable[[], int]) -> Iterator[Workers | None]:
    """The workers that are asked for, ended afterwards where they are ours; None where this process is to compute.

    Parameters
    ----------
    asked : int, "auto", Workers, distributed.Client or None
        With 1 this process computes by itself, by as many threads as help. With None it does so too, unless a client of
        Dask is there, whose workers are taken then.
    worthwhile : callable
        How many processes "auto" stands for.

    Raises
    ------
    SettingsError
        If it is none of these.
    """
    workers, ours = _asked_for(current_client() if asked is None else asked, worthwhile)
    try:
        yield workers
    finally:
        if ours and workers is not None:
            workers.close()


def _asked_for(asked: WorkersLike | None, worthwhile: Callable[[], int]) -> tuple[Workers | None, bool]:
    """The workers, and whether they are made here."""
    if is_client(asked):
        return DaskWorkers(asked), True
    if isinstance(asked, (int, str, np.integer)):
        count = worthwhile() if asked == AUTO else checked_count(asked)
        return (None if count == 1 else Processes(count)), True
    if asked is None or all(callable(getattr(asked, name, None)) for name in ("submit", "send", "forget", "close")):
        return asked, False
    raise SettingsError(
        f"workers is a {type(asked).__name__}: want a number of processes, {AUTO!r}, a client of Dask, or workers."
    )


def checked_count(asked: WorkersLike) -> int:
    """A number of processes; a SettingsError unless it is one."""
    if isinstance(asked, bool) or not isinstance(asked, (int, np.integer)) or not 1 <= asked <= MOST:
        raise SettingsError(f"workers = {asked!r}: want a number of processes from 1 to {MOST}, or {AUTO!r}.")
    return int(asked)
