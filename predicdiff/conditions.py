"""With what tiles were made, on which their last bits depend: recorded with them, and told where it changed."""

from __future__ import annotations

import platform
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any, Iterable, Mapping

import numpy as np

from ._version import __version__
from .abilities import NetAbilities
from .protocols import Json
from .texts import one_line

#: Where Linux says which processor there is.
PROCESSORS = Path("/proc/cpuinfo")
#: How a condition's value is said; of any other name it is a version.
PHRASES = {
    "processor": "on the processor {}",
    "device": "on {}",
    "threads": "with {} an evaluation",
    "batch_size": "in batches of {}",
    "precision": "in {}",
}
#: Of a value, as it is said, at most.
MOST = 60


def conditions(abilities: NetAbilities, batch_size: int) -> Json:
    """JSON-able: this machine's processor, versions, the batch size, and what a net says of what computes it.

    Beyond these, `executors` say with how many threads each evaluation is computed where they set it.
    """
    computed = {} if abilities.computed_by is None else abilities.computed_by()
    precision = {} if abilities.precision is None else {"precision": abilities.precision}
    versions = {"predicdiff": __version__, "Python": platform.python_version(), "numpy": np.__version__}
    return {"processor": processor(), "batch_size": batch_size, **precision, **versions, **computed}


@lru_cache(maxsize=None)
def processor() -> str:
    """The processor's kind, as the system calls it."""
    try:
        lines = PROCESSORS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # another system
        lines = []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name") and ":" in line]
    return models[0] if models else platform.processor() or platform.machine()


def changes(made: Iterable[Mapping[str, Any] | None]) -> list[str]:
    """What is said of tiles, of each of which ``made`` is with what: nothing, where it is the same for all."""
    each = list(made)
    known = [one for one in each if one is not None]
    names = dict.fromkeys(name for one in known for name in one)
    parts = [_told(name, [one.get(name) for one in known if name in one], len(each)) for name in names]
    parts = [part for part in parts if part]
    earlier = sum("processor" not in one for one in known)  # which recorded the batch size
    if 0 < earlier < len(each):
        parts.append(f"{earlier} of {len(each)} tiles were made by an earlier release, which did not record with what")
    if len(known) < len(each):  # the record was damaged
        parts.append(f"{len(each) - len(known)} of {len(each)} tiles were made with what is not known any more")
    return [f"{'; '.join(parts)}: values agree to rounding, not to the bit."] if parts else []


def _told(name: str, values: list[Any], count: int) -> str:
    """How many of ``count`` tiles were made with which value of a condition; an empty text if all with the same."""
    *others, (last, _) = Counter(one_line(value, MOST) for value in values).most_common()[::-1]
    if not others:
        return ""
    some = ", ".join(f"{number} {_phrase(name, value)}" for value, number in others)
    first, _, rest = some.partition(" ")
    return f"{first} of {count} tiles were made {rest}, the rest {_phrase(name, last)}"


def _phrase(name: str, value: str) -> str:
    if name == "threads":
        value = "1 thread" if value == "1" else f"{value} threads"
    return PHRASES.get(name, f"by {one_line(name, MOST)} {{}}").format(value)
