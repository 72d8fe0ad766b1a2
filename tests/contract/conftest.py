"""The nets that are held to the contract, each made once."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Iterator

import pytest
from helpers.contract_nets import NETS, Held, NetCase
from helpers.engines import ENGINES


@pytest.fixture(scope="session", autouse=True)
def torch_threads() -> Iterator[None]:
    """Nobody sets how many threads torch has: not even the first call, after which nothing would be seen to change."""
    if "torch" not in ENGINES:
        yield
        return
    torch = importlib.import_module("torch")
    before = torch.get_num_threads()
    yield
    assert torch.get_num_threads() == before


def made(case: NetCase, folders: pytest.TempPathFactory) -> Held:
    if importlib.util.find_spec(case.engine) is None:
        pytest.skip(f"{case.engine} is not installed")
    return case.make(folders.mktemp("nets"))


@pytest.fixture(scope="session", params=NETS, ids=lambda case: case.name)
def held(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Held:
    """A net, and what it is held against."""
    return made(request.param, tmp_path_factory)


@pytest.fixture(params=NETS, ids=lambda case: case.name)
def fresh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Held:
    """A net whose source nobody has used yet, though another like it was loaded, with all that this imports."""
    assert made(request.param, tmp_path_factory).net is not None
    return made(request.param, tmp_path_factory)


def first() -> NetCase:
    cases = [case for case in NETS if case.engine in ENGINES]
    if not cases:
        pytest.skip("neither torch nor pycaffe is installed")
    return cases[0]


@pytest.fixture(scope="session")
def any_net(tmp_path_factory: pytest.TempPathFactory) -> Held:
    """The first net that can be made here."""
    return made(first(), tmp_path_factory)


@pytest.fixture
def any_fresh(any_net: Held, tmp_path_factory: pytest.TempPathFactory) -> Held:
    """The same, and nobody has used its source yet."""
    assert any_net.net is not None
    return made(first(), tmp_path_factory)
