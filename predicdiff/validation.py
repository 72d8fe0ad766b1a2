"""What a sealed file says, held against what its kind may say: whoever changes a file can seal it anew."""

from __future__ import annotations

import json
import sys
from typing import Any, Callable, Mapping, NamedTuple

import numpy as np

from .errors import FormatError
from .texts import one_line

#: Levels of lists and dicts in each other, letters of one text, and digits of one number.
DEEPEST, LONGEST, MOST_DIGITS = 100, 2**25, 4000
#: Of a finite number in an array: squares of such do not overflow.
LARGEST = 1e100
#: Letters of a value that is only shown, whatever it is.
MOST_SHOWN = 60
#: Of a side, a count or a place.
MOST = 2**31


class Want(NamedTuple):
    """What a part must be, in words, and whether a value is that."""

    words: str
    holds: Callable[[Any], bool]


def check(parts: Mapping[str, Any], wants: Mapping[str, Want], where: str = "") -> None:
    """Hold parts against what is wanted of them; those that are not there, or not known, are passed over.

    Raises
    ------
    FormatError
        Which names the part, and ``where`` it is.
    """
    for name, want in wants.items():
        if name in parts and not want.holds(parts[name]):
            raise FormatError(f"{where}{name} is {one_line(parts[name], MOST_SHOWN)}, want {want.words}.")


def told(value: Any, want: Want, tell: Callable[[Any], str]) -> str:
    """What ``tell`` says of a value that is what it wants; of any other what it is, in one line."""
    return tell(value) if want.holds(value) else one_line(value, MOST_SHOWN)


def dumped(name: str, value: Any) -> str:
    """A value as the text of JSON that `parsed` takes.

    Raises
    ------
    FormatError
        Which names it, if it is neither numbers, texts, lists and dicts, or more of them than `parsed` takes.
    """
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise FormatError(f"{name} is no JSON ({error}): want plain numbers, texts, lists and dicts.") from None
    try:
        parsed(text)
    except FormatError as error:
        raise FormatError(f"{name}: {error}") from None
    return text


def parsed(text: Any) -> Any:
    """What a text holds as JSON, neither endless nor deep; halves of letters, as in names of files, are taken.

    Raises
    ------
    FormatError
        If it is other than that.
    """
    if not isinstance(text, (str, bytes)) or len(text) > LONGEST:
        raise FormatError(f"want texts of JSON, of at most {LONGEST} letters: it holds another.")
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if _depth(data) > DEEPEST:
        raise FormatError(f"a text in it holds lists in lists, more than {DEEPEST} deep.")
    try:
        return json.loads(data.decode("utf-8", "surrogatepass"), parse_int=_whole)
    except (ValueError, RecursionError):
        raise FormatError("a text in it is no JSON.") from None


def _depth(data: bytes) -> int:
    """Levels of lists and dicts in JSON, seen from its brackets: to build millions of lists takes seconds."""
    marks = np.frombuffer(data.replace(b"\\\\", b"").replace(b'\\"', b""), np.uint8)
    within = np.logical_xor.accumulate(marks == ord('"'))  # of texts, whose quotes are all that are left
    opening, closing = ((marks == ord(one)) | (marks == ord(other)) for one, other in ("[{", "]}"))
    steps = (opening & ~within).astype(np.int8) - (closing & ~within)
    return int(np.cumsum(steps, dtype=np.int32).max(initial=0))


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError("a number of more digits than any of ours")
    return int(digits)


def is_whole(value: Any, least: int = 0) -> bool:
    """Whether it is a whole number from ``least`` to `MOST`."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= MOST


def is_number(value: Any) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_pair(value: Any, least: int) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and all(is_whole(side, least) for side in value)


def list_of(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Whether a value is a list of such."""
    return lambda value: isinstance(value, list) and all(map(holds, value))


def optional(want: Want) -> Want:
    """The same, or None."""
    return Want(f"{want.words}, or null", lambda value: value is None or want.holds(value))


TEXT = Want("a text", lambda value: isinstance(value, str))
TEXTS = Want("a list of texts", list_of(lambda item: isinstance(item, str)))
COUNT = Want("a whole number", is_whole)
NUMBER = Want("a number", is_number)
DICT = Want("a dict", lambda value: isinstance(value, dict))
SIDES = Want("a number of pixels, or two", lambda value: is_whole(value, 1) or _is_pair(value, 1))
PLACE = Want("two whole numbers", lambda value: _is_pair(value, 0))
LENGTHS = Want("two whole numbers above 0", lambda value: _is_pair(value, 1))
BOX = Want("four whole numbers", lambda value: list_of(is_whole)(value) and len(value) == 4)
INDEX = Want("a list of whole numbers", list_of(is_whole))
LIST = Want("a list", lambda value: isinstance(value, list))


def floats(values: Any, what: str, shape: tuple[int, ...], *, least: float = -LARGEST, infinite: bool = False) -> None:
    """A FormatError if it is no array of real numbers of this shape, each from ``least`` to `LARGEST` or NaN.

    ``least`` is 0 or below. With ``infinite`` infinity is taken too.
    """
    array(values, what, "fiu", shape)
    asked = np.isfinite(values) if infinite else True
    # these pass over NaN, and make no copy of what may be gigabytes
    lowest, highest = (float(of.reduce(values, axis=None, where=asked, initial=0)) for of in (np.fmin, np.fmax))
    if lowest < least or highest > LARGEST:
        bad = lowest if lowest < least else highest
        raise FormatError(f"{what} holds {bad:.5g}, want numbers from {least:.3g} to {LARGEST:.3g}.")


def array(values: Any, what: str, kinds: str, shape: tuple[int, ...]) -> None:
    """A FormatError if it is no array of one of numpy's kinds and of this shape, in which -1 stands for any length."""
    some = isinstance(values, np.ndarray) and values.dtype.kind in kinds and values.ndim == len(shape) and values.size
    if some and all(wanted in (-1, found) for wanted, found in zip(shape, values.shape)):
        return
    found = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else one_line(values, MOST_SHOWN)
    told = ", ".join("any" if wanted == -1 else str(wanted) for wanted in shape)
    raise FormatError(f"{what} is {found}, want an array of numbers ({told}).")
