"""Files of every format, whole and changed: each opens or ends in a sentence, within bounds."""

from __future__ import annotations

import importlib.util
from typing import Iterator, Sequence

import pytest
from fuzz.bounded import SENTENCE, VALUE, Attack, Bounds, Server
from fuzz.crafted import CASES, LONG
from fuzz.formats import FORMATS, whole

#: What a file of any size may take.
MOST = Bounds(cpu=20.0, memory=4 * 10**9)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(["fuzz.formats", "fuzz.crafted"]) as server:
        yield server


@pytest.mark.parametrize("name", FORMATS)
def test_files_open_or_end_in_a_sentence(server: Server, name: str) -> None:
    form = FORMATS[name]
    _skip_without(form.needs)
    server.prepare(Attack("fuzz.formats:warm", (name,)))
    outcomes = server.run([Attack("fuzz.formats:opened", (name, n)) for n in range(form.count)], form.bounds)
    bad = [(number, outcome) for number, outcome in enumerate(outcomes) if not outcome.good]
    assert not bad, f"`python -m fuzz {name} {bad[0][0]}` in tests: {bad[:3]}"
    # whole files are taken, or the others would be refused for something else than their changes
    assert {outcome.kind for outcome in outcomes[: len(whole(name))]} == {VALUE}, outcomes[: len(whole(name))]


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.whole] if n in LONG else []) for n in CASES])
def test_files_made_on_purpose_do_no_harm(server: Server, name: str) -> None:
    _skip_without(("torch",))
    (outcome,) = server.run([Attack("fuzz.crafted:attack", (name,))], MOST)
    assert outcome.good, outcome
    assert outcome.kind == SENTENCE or not CASES[name].refused, outcome


@pytest.mark.parametrize("name", FORMATS)
def test_pipes_are_not_waited_for(server: Server, name: str) -> None:
    if name == "manifest":
        pytest.skip("is the program's own, no user names it")
    _skip_without(FORMATS[name].needs)
    (outcome,) = server.run([Attack("fuzz.crafted:fifo", (name,))], Bounds(wall=10.0))
    assert outcome.kind == SENTENCE, outcome


def _skip_without(packages: Sequence[str]) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
