"""What `reproduce.against` makes once and keeps: arrays of any part of it, and how fast each way is."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Sequence

import numpy as np
from tqdm import tqdm

from predicdiff.errors import FormatError
from predicdiff.files import Kind, read, write

from .against_table import Row
from .timing import multiply_adds
from .timing_ways import Turn

KIND = Kind("part of a comparison", 1, "python -m reproduce.against", FormatError)
#: Rounds of timing that count.
ROUNDS = 3

Arrays = Dict[str, np.ndarray]


def kept(path: Path, what: Any, make: Callable[[], Arrays]) -> Arrays:
    """What ``make`` makes, or what an earlier call made of the same ``what`` (JSON-able) and left in this file."""
    told = json.loads(json.dumps(what))  # as it comes back from a file
    if path.exists():
        held: dict[str, Any] = read(path, KIND, dict)
        if held.pop("what") == told:
            return held
    arrays = make()
    write(path, KIND, arrays, {"what": told})
    return arrays


@dataclass(frozen=True)
class Speed:
    """Seconds an evaluation and multiply-adds, by way."""

    seconds: dict[str, float]
    multiply_adds: dict[str, float]

    @classmethod
    def measured(cls, net: Any, turns: dict[str, Turn]) -> Arrays:
        """All ways' seconds (ways, rounds) and multiply-adds; all have their turn in every round.

        A dense pass of others is no work that the net knows of, and has the same multiply-adds as one of ours.
        """
        work = [multiply_adds(net, turn) for turn in turns.values()]  # warms up, too
        dense = max(each["dense"] for each in work)
        seconds = np.empty((len(turns), ROUNDS))
        for number, way in tqdm(np.ndindex(seconds.shape[::-1]), total=seconds.size, desc="timing", unit="turn"):
            turn = list(turns.values())[way]
            started = time.perf_counter()
            evaluations = turn()
            seconds[way, number] = (time.perf_counter() - started) / evaluations
        return {"seconds": seconds, "multiply_adds": np.array([each["done"] or dense for each in work])}

    @classmethod
    def of(cls, ways: Sequence[str], arrays: Arrays) -> Speed:
        """From what was `measured`, or kept of it."""
        medians = np.median(arrays["seconds"], axis=1).tolist()
        return cls(dict(zip(ways, medians)), dict(zip(ways, arrays["multiply_adds"].tolist())))

    def row(
        self, way: str, method: str, setting: str, evaluations: int, *told: Any, more: float = 0.0, **how: Any
    ) -> Row:
        """A row of the table; ``more`` seconds are those apart from evaluations."""
        seconds = evaluations * self.seconds[way] + more
        return Row(method, setting, evaluations, self.multiply_adds[way], seconds, *told, **how)
