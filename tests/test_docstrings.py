"""The examples in docstrings do what they say."""

from __future__ import annotations

import doctest
import importlib
import inspect

import pytest
from helpers.places import PACKAGE

EXAMPLES = sorted(
    ".".join([PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts])
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


def test_there_are_examples() -> None:
    assert {"predicdiff.windows", "predicdiff.evidence", "predicdiff.samplers.marginal"} <= set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_do_what_they_say(name: str) -> None:
    module = importlib.import_module(name)
    if ">>> import torch" in inspect.getsource(module):
        pytest.importorskip("torch", reason="an example has a module of torch")
    failed, tried = doctest.testmod(module)
    assert tried > 0
    assert not failed
