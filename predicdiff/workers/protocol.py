"""What is asked of workers, wherever they are."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Callable, NamedTuple, Protocol, Sequence

from ..errors import ExplanationError


class LostWorkerError(ExplanationError):
    """A worker ended before its task did: it was killed, ran out of memory, or its machine is gone."""


class UnbegunError(LostWorkerError):
    """A worker ended, or is out of reach, before it began a task, which therefore is not to blame."""


class NotMadeError(UnbegunError):
    """A worker lacks what it would make a thing of that it was told of, and has to be sent the thing itself."""


class Parcel(NamedTuple):
    """Something that was sent to workers, each of which unpacks it once.

    Attributes
    ----------
    key : str
        Tells it from all others.
    content : object
        What workers unpack: the pickled bytes, where they lie, or what stands for them until they are there.
    """

    key: str
    content: Any


class Answer(NamedTuple):
    """What a task gave, and what was warned of meanwhile: texts and their categories."""

    value: Any
    warned: list[tuple[str, type[Warning]]]


class Workers(Protocol):
    """Processes that compute tasks, each of which is given to one of them."""

    @property
    def count(self) -> int:
        """How many there are at this moment; at least 1."""

    def send(self, thing: Any) -> Parcel:
        """Pack a thing for all workers, each of which gets it when a task of its own needs it, and once.

        The same object makes the same parcel until it is forgotten, also where it has changed in its place meanwhile.

        Raises
        ------
        SettingsError
            If it cannot be pickled.
        """

    def forget(self, parcel: Parcel) -> None:
        """Say that no further task needs a parcel."""

    def submit(self, work: Callable[..., Any], parcels: Sequence[Parcel], *arguments: Any) -> Future[Answer]:
        """Have a worker call ``work`` with what the parcels hold, and then the arguments.

        What the work raises, the future raises; a LostWorkerError where the worker was lost with it, an UnbegunError
        where it had not begun yet.
        """

    def close(self) -> None:
        """End what was begun with them; tasks at work are given up."""
