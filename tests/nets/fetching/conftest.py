"""Nets whose files lie on servers of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.tiny_zoo import TinyZoo


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TinyZoo]:
    with TinyZoo(tmp_path, monkeypatch) as tiny:
        yield tiny
