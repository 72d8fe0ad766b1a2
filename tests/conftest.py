"""What all tests have in common: where they find what they are held against, and how their examples are made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers.places import DATA, MODELS
from hypothesis import HealthCheck, settings

# The same examples in every run, so that a failure comes back and a pass is no luck; how long one takes is the machine's affair.
settings.register_profile(
    "predicdiff", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("predicdiff")


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
