"""`python -m fuzz`: changed files of every format for as long as is wanted; `python -m fuzz FORMAT NUMBER` repeats one.

What fails is kept in a folder, with a line that repeats it.
"""

from __future__ import annotations

import argparse
import collections
import importlib.util
import itertools
import sys
import time
from pathlib import Path

from fuzz.bounded import SENTENCE, VALUE, Attack, Outcome, Server
from fuzz.formats import FORMATS, content

#: Files of a format before the next one has its turn.
TURN = 100
#: A seed's numbers begin so far behind another's.
APART = 10**9


def main() -> int:
    """Run what the command line asks for; 1 if anything failed."""
    asked = _arguments()
    if asked.number is not None:
        return _repeat(asked.format, asked.number, asked.keep)
    names = [asked.format] if asked.format else [name for name, form in FORMATS.items() if _installed(form.needs)]
    counts = {name: collections.Counter[str]() for name in names}
    end = time.monotonic() + asked.seconds
    with Server(["fuzz.formats"]) as server:
        for name in names:
            server.prepare(Attack("fuzz.formats:warm", (name,)))
        for turn, name in ((turn, name) for turn in itertools.count() for name in names):
            if time.monotonic() > end:
                break
            numbers = range(asked.seed * APART + turn * TURN, asked.seed * APART + (turn + 1) * TURN)
            outcomes = server.run([Attack("fuzz.formats:opened", (name, n)) for n in numbers], FORMATS[name].bounds)
            counts[name].update(outcome.kind for outcome in outcomes)
            for number, outcome in zip(numbers, outcomes):
                if not outcome.good:
                    _keep(asked.keep, name, number, outcome)
    for name, count in counts.items():
        good = f"{count.pop(VALUE, 0):>7,} opened, {count.pop(SENTENCE, 0):>7,} refused"
        print(f"{name:<14} {good}{''.join(f', {n:,} {kind}' for kind, n in count.items())}")
        counts[name] = count
    failed = sum(sum(count.values()) for count in counts.values())
    if failed:
        print(f"{failed} failed: see {asked.keep}")
    return int(failed > 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("format", nargs="?", choices=list(FORMATS))
    parser.add_argument("number", nargs="?", type=int)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("out/fuzz"), help="the folder for what fails")
    return parser.parse_args()


def _repeat(name: str, number: int, folder: Path) -> int:
    with Server(["fuzz.formats"]) as server:
        server.prepare(Attack("fuzz.formats:warm", (name,)))
        (outcome,) = server.run([Attack("fuzz.formats:opened", (name, number))], FORMATS[name].bounds)
    if not outcome.good:
        _keep(folder, name, number, outcome)
    print(f"{outcome.kind}, {outcome.cpu:.1f} s of CPU, {outcome.peak / 1e6:.0f} MB\n{outcome.text}")
    return int(not outcome.good)


def _keep(folder: Path, name: str, number: int, outcome: Outcome) -> None:
    """Write down a failing file, what came of it, and the line that repeats it."""
    place = folder / name / str(number)
    place.mkdir(parents=True, exist_ok=True)
    (place / FORMATS[name].file).write_bytes(content(name, number))
    again = f"PYTHONPATH=tests {sys.executable} -m fuzz {name} {number}"
    (place / "outcome.txt").write_text(f"{again}\n{outcome.kind}\n{outcome.text}\n", encoding="utf-8", errors="replace")
    print(f"{name} {number}: {outcome.kind}: {(outcome.text.strip().splitlines() or [''])[-1][:150]!r}\n  {again}")


def _installed(packages: tuple[str, ...]) -> bool:
    return all(importlib.util.find_spec(package) is not None for package in packages)


if __name__ == "__main__":
    sys.exit(main())
