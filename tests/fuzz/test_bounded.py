"""Each way to fail is noticed, so that no attack passes because nobody looked."""

from __future__ import annotations

from typing import Any

import pytest
from fuzz.bounded import (
    DEATH,
    LEFT,
    MEMORY,
    MESSAGE,
    NOISE,
    SENTENCE,
    SLOW,
    TRACEBACK,
    VALUE,
    Attack,
    Bounds,
    Outcome,
    Server,
)

WANTED: list[tuple[str, str, tuple[Any, ...], str]] = [
    (VALUE, "value", (7,), "7"),
    (SENTENCE, "sentence", (), "want 3, not 4."),
    (TRACEBACK, "raises", (), "ValueError: out of range"),
    (TRACEBACK, "leaves", (), "SystemExit"),
    (MEMORY, "eats", (2 * 10**9,), "MemoryError"),
    (MEMORY, "eats", (150 * 10**6,), "MB at the peak"),
    (MEMORY, "eats_and_says_so", (2 * 10**9,), "too large."),
    (VALUE, "eats", (50 * 10**6,), "50000000"),
    (SLOW, "spins", (), "of CPU"),
    (SLOW, "spins_for", (0.5,), "of CPU, then: None"),
    (SLOW, "sleeps", (), "nothing came"),
    (DEATH, "crashes", (), "SIGSEGV"),
    (DEATH, "exits", (), "exit status 3"),
    (NOISE, "writes", (1,), "HDF5-DIAG"),
    (NOISE, "writes", (2,), "HDF5-DIAG"),
    (NOISE, "prints", (), "found it"),
    (NOISE, "warns", (), "invalid value encountered"),
    (LEFT, "leaves_a_temporary_file", (), "tmp"),
    (LEFT, "leaves_half_an_output", (), "map.png"),
    (MESSAGE, "raises_pages", ("x" * 10_000,), "10000 letters"),
    (MESSAGE, "raises_pages", ("\x1b[2Jtiger",), "x1b"),
    (MESSAGE, "raises_pages", ("",), "0 letters"),
    (VALUE, "value", (8,), "8"),
]


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    with Server(["predicdiff.errors"]) as server:
        attacks = [Attack(f"fuzz.failing:{name}", given) for _, name, given, _ in WANTED]
        return server.run(attacks, Bounds(cpu=0.4, memory=100_000_000, wall=4.0))


@pytest.mark.parametrize("number", range(len(WANTED)), ids=[f"{name}{given}" for _, name, given, _ in WANTED])
def test_what_comes_of_an_attack_is_told(outcomes: list[Outcome], number: int) -> None:
    kind, _, _, text = WANTED[number]
    assert outcomes[number].kind == kind, outcomes[number]
    assert text in outcomes[number].text
    assert outcomes[number].good == (kind in (VALUE, SENTENCE))


def test_what_an_attack_took_is_told(outcomes: list[Outcome]) -> None:
    peaks = {given: outcome.peak for (_, name, given, _), outcome in zip(WANTED, outcomes) if name == "eats"}
    for (size,) in [(50 * 10**6,), (150 * 10**6,)]:  # the system counts pages, and a few late
        assert 0.98 * size < peaks[(size,)] < 1.1 * size
    spun = next(outcome for (_, name, _, _), outcome in zip(WANTED, outcomes) if name == "spins_for")
    assert 0.5 <= spun.cpu < 1.5
