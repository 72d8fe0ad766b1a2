"""Whatever is in a registry is held to the contract: what is added later fails here until it is."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Iterator

import pytest
from helpers.contract_methods import WANTED
from helpers.contract_nets import NETS
from helpers.contract_samplers import FORMS

from predicdiff import samplers
from predicdiff.methods.registry import METHODS
from predicdiff.nets import zoo
from predicdiff.protocols import ENGINES
from predicdiff.samplers.registry import SAMPLERS
from predicdiff.samplers.saved import SavedSampler


@pytest.mark.parametrize("door", zoo.DOORS, ids=lambda door: door.load.__module__)
def test_a_net_of_each_door_is_held(door: object) -> None:
    assert any(case.door is door for case in NETS), (
        f"{door} is one of zoo.DOORS, and no net that comes by it is held: add a NetCase to "
        "tests/helpers/contract_nets.py"
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_a_net_on_each_engine_is_held(engine: str) -> None:
    assert any(case.engine == engine for case in NETS), (
        f"{engine!r} is one of protocols.ENGINES, and no net that it computes is held: add a NetCase to "
        "tests/helpers/contract_nets.py"
    )


@pytest.mark.parametrize("name", METHODS)
def test_each_method_has_another_way_to_its_map(name: str) -> None:
    assert name in WANTED, (
        f"{name!r} is one of METHODS, and nothing says what its map should be: add a function to WANTED in "
        "tests/helpers/contract_methods.py"
    )


def subclasses(kind: type) -> Iterator[type]:
    for one in kind.__subclasses__():
        yield one
        yield from subclasses(one)


def test_each_sampler_that_can_be_saved_is_held() -> None:
    for module in pkgutil.iter_modules(samplers.__path__):
        importlib.import_module(f"{samplers.__name__}.{module.name}")
    held = {kind.sampler for kind in SAMPLERS.values()}
    for kind in subclasses(SavedSampler):
        assert kind in held or not kind.__module__.startswith("predicdiff."), (
            f"{kind.__name__} can be saved and has no line in SAMPLERS, so that no file of it opens and nothing holds "
            "it: add one to predicdiff/samplers/registry.py"
        )


def test_each_form_is_one_of_a_sampler_that_there_is() -> None:
    assert set(FORMS) <= set(SAMPLERS), "a kind of sampler is gone: take its forms out of contract_samplers.FORMS"
