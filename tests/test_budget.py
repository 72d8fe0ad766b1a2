"""One bound on memory, asked before anything large is made."""

from __future__ import annotations

import threading

import pytest

from predicdiff import budget
from predicdiff.errors import ImageError, SettingsError


def test_what_fits_is_allowed_and_one_byte_more_is_a_sentence() -> None:
    with budget.within(10**9):
        budget.ask(10**9, "a picture")
        with pytest.raises(ImageError, match=r"^a picture wants 12.3 GB of memory, and 1 GB are allowed. Cut it\.$"):
            budget.ask(12.3e9, "a picture", ImageError, "Cut it")
        with pytest.raises(SettingsError, match=r"--memory"):
            budget.ask(10**9 + 1, "a picture")


def test_a_bound_holds_for_its_block_and_its_thread_alone() -> None:
    elsewhere: list[int] = []
    with budget.within(5):
        thread = threading.Thread(target=lambda: elsewhere.append(budget.room()))
        thread.start()
        thread.join()
        assert (budget.room(), elsewhere) == (5, [budget.MEMORY])
    assert budget.room() == budget.MEMORY == 4 * 10**9
