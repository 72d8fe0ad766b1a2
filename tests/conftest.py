"""What all tests have in common: which of them run, what they are held against, how examples are made."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path
from typing import Any

import pytest
from helpers.places import DATA, MODELS
from hypothesis import HealthCheck, settings

# The same examples in every run, so that a failure comes back and a pass is no luck. No deadline: machines differ.
settings.register_profile(
    "predicdiff", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("predicdiff")

TORCH = importlib.util.find_spec("torch") is not None
IMPORTS_TORCH = re.compile(r"^(import|from) torch\b", re.MULTILINE)


class NeedsTorch(pytest.Module):
    """A module of tests that imports torch, where there is none: skipped as one, without being imported."""

    def collect(self) -> Any:
        pytest.skip("torch is not installed", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Skip modules that import torch at their top where it is not installed."""
    if TORCH or not IMPORTS_TORCH.search(module_path.read_text(encoding="utf-8")):
        return None
    return NeedsTorch.from_parent(parent, path=module_path)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--whole``."""
    parser.addoption("--whole", action="store_true", help="run the tests marked `whole` too, which take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is marked as whole unless it was asked for."""
    if config.getoption("whole"):
        return
    for item in items:
        if item.get_closest_marker("whole"):
            item.add_marker(pytest.mark.skip(reason="takes long: runs with --whole"))


@pytest.fixture(scope="session")
def data() -> Path:
    """Small recorded files that come with the tests."""
    return DATA


@pytest.fixture(scope="session")
def models() -> Path:
    """The prototxts and labels of the checkout."""
    return MODELS


@pytest.fixture(scope="session")
def shared() -> Path:
    """A folder of files that may not be copied into the project: real weights, photographs."""
    path = os.environ.get("PREDICDIFF_SHARED")
    if not path:
        pytest.skip("PREDICDIFF_SHARED does not name the folder with real weights and photographs")
    return Path(path)
