"""The worker's side: what is sent is unpacked once, and a task runs with the share of the machine that it may use."""

from __future__ import annotations

import io
import pickle
import threading
import traceback
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Callable, NamedTuple, Sequence, cast

from ..budget import within
from ..cores import sharing
from ..errors import ExplanationError, SettingsError, collecting, first_line
from .protocol import Answer, Parcel

#: Parcels that a worker keeps unpacked, those last used: a net, a sampler, and what is sent of a few images.
KEPT = 6

_unpacked: OrderedDict[str, Any] = OrderedDict()
_turn = threading.Lock()  # workers may have several threads


class WorkersTraceback(Exception):  # noqa: N818
    """Where in a worker an error was raised, as text; the cause of the error that is raised here."""


class Terms(NamedTuple):
    """On what terms a task runs.

    Attributes
    ----------
    share : int or None
        How many processors it may use; None for all that there are.
    memory : int
        Bytes that it may take, see `budget`.
    """

    share: int | None
    memory: int


def do(work: Callable[..., Any], parcels: Sequence[Parcel], arguments: Sequence[Any], terms: Terms) -> Answer:
    """Call ``work`` with what the parcels hold and the arguments; called by `Workers` in the worker."""
    things = [unpacked(parcel) for parcel in parcels]
    with within(terms.memory), collecting() as warned:
        if terms.share is None:
            return Answer(work(*things, *arguments), warned)
        with sharing(terms.share):
            return Answer(work(*things, *arguments), warned)


def answered(*task: Any) -> tuple[bool, Any, str]:
    """Whether a task went well, its answer or the error, and where that was raised; arguments as for `do`."""
    try:
        return True, do(*task), ""
    except BaseException as error:
        return False, _sendable(error), traceback.format_exc()


def result_of(good: bool, answer: Any, told: str) -> Answer:
    """The answer of a task, or its error raised: the other end of `answered`."""
    if good:
        return cast(Answer, answer)
    raise answer from WorkersTraceback(told)


def packed(thing: Any, dumps: Callable[..., bytes] = pickle.dumps) -> bytes:
    """A thing's pickled bytes; a SettingsError that names what cannot be pickled."""
    with _picklable(thing):
        return dumps(thing, protocol=pickle.HIGHEST_PROTOCOL)


def pack_into(path: Path, thing: Any) -> None:
    """Pickle a thing into a file, of which memory holds no copy; errors as of `packed`, and OSError."""
    with open(path, "wb") as file, _picklable(thing):
        pickle.dump(thing, file, protocol=pickle.HIGHEST_PROTOCOL)


@contextmanager
def _picklable(thing: Any) -> Iterator[None]:
    try:
        yield
    except OSError:  # no room in a file
        raise
    except Exception as error:  # anybody's class may raise anything
        raise SettingsError(
            f"a {type(thing).__name__} cannot be sent to worker processes ({first_line(error)}): want one that can be "
            "pickled, whose classes and functions stand in a module and have names there; or compute without workers."
        ) from error


def unpacked(parcel: Parcel) -> Any:
    """What a parcel holds: one object for all tasks of this process that need it."""
    with _turn:
        if parcel.key not in _unpacked:
            _unpacked[parcel.key] = loaded(parcel.content)
            while len(_unpacked) > KEPT:
                _unpacked.popitem(last=False)
        _unpacked.move_to_end(parcel.key)
        return _unpacked[parcel.key]


def _sendable(error: BaseException) -> BaseException:
    """The error itself, or where it cannot be pickled one of ours that says the same."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return ExplanationError(f"a worker failed ({type(error).__name__}: {first_line(error)}).")
    return error


def loaded(content: Path | bytes) -> Any:
    """What was pickled, from its bytes or the file that has them, of which memory holds no copy.

    Raises
    ------
    SettingsError
        That says what is missing here.
    ExplanationError
        If the file is gone.
    """
    with _opened(content) as file:
        try:
            return pickle.load(file)
        except (AttributeError, ImportError) as error:
            raise SettingsError(
                f"a worker cannot make what it was sent ({first_line(error)}): want nets and samplers whose classes "
                "stand in a module that workers can import too."
            ) from error


def _opened(content: Path | bytes) -> BinaryIO:
    if isinstance(content, bytes):
        return io.BytesIO(content)
    try:
        return open(content, "rb")
    except OSError as error:
        raise ExplanationError(
            f"{content}: what was sent to workers cannot be read ({error.strerror}). Name a folder in which nobody "
            "deletes temporary files in the environment's TMPDIR."
        ) from error
