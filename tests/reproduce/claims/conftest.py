"""Claims before a linear net."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
from helpers import claims


@pytest.fixture
def study(module: Callable[[str], Any], tmp_path: Path) -> Any:
    """A linear net before two photographs, and a corpus of twelve others."""
    return claims.study(module("claims.study"), claims.linear_net(), tmp_path)
