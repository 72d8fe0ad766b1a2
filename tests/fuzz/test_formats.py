"""Files of every format, whole and changed: each opens or ends in a sentence, within bounds."""

from __future__ import annotations

import importlib.util
from typing import Iterator

import pytest

from fuzz.bounded import VALUE, Attack, Server
from fuzz.formats import FORMATS, whole


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(["fuzz.formats"]) as server:
        yield server


@pytest.mark.parametrize("name", FORMATS)
def test_files_open_or_end_in_a_sentence(server: Server, name: str) -> None:
    form = FORMATS[name]
    for package in form.needs:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    server.prepare(Attack("fuzz.formats:warm", (name,)))
    outcomes = server.run([Attack("fuzz.formats:opened", (name, n)) for n in range(form.count)], form.bounds)
    bad = [(number, outcome) for number, outcome in enumerate(outcomes) if not outcome.good]
    assert not bad, f"`python -m fuzz {name} {bad[0][0]}` in tests: {bad[:3]}"
    # whole files are taken, or the others would be refused for something else than their changes
    assert {outcome.kind for outcome in outcomes[: len(whole(name))]} == {VALUE}, outcomes[: len(whole(name))]
