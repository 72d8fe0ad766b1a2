"""Messages steer no terminal; warnings point at the line of the caller's that they are about, from deep inside too."""

from __future__ import annotations

import inspect
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import LinearNet, NormalSampler, photo

import predicdiff as pd
from predicdiff import errors
from predicdiff.errors import ConfidenceWarning, InputWarning, PredicdiffError, SettingsError, warn, without

SHAPE = (1, 4, 5)


class Sure(LinearNet):
    def gradient(self, inputs: np.ndarray, **_: Any) -> np.ndarray:
        return np.ones_like(inputs)


NET, UNNAMED = Sure(np.zeros((2, *SHAPE)), [0.0, 30.0]), Sure(np.zeros((2, *SHAPE)))
UNNAMED.scores = None


@pytest.mark.parametrize(
    ("call", "category"),
    [
        (lambda: pd.explain(NET, photo(SHAPE), NormalSampler(), window=2, samples=1), ConfidenceWarning),
        (lambda: pd.occlusion(NET, photo(SHAPE), window=2, measure="evidence"), ConfidenceWarning),
        (lambda: pd.sensitivity(UNNAMED, photo(SHAPE)), InputWarning),
    ],
    ids=["explain", "occlusion", "sensitivity"],
)
def test_warnings_point_at_the_line_that_called(call: Any, category: type[Warning]) -> None:
    with pytest.warns(category) as caught:
        call()
    assert {(one.filename, one.lineno) for one in caught} == {(__file__, inspect.getsourcelines(call)[1])}


def test_what_is_left_out_in_one_thread_is_heard_in_others() -> None:
    """The filters of `warnings` are those of the whole process: two threads put them back in the wrong order."""
    inside, heard = threading.Event(), threading.Event()

    def quiet() -> None:
        with without(InputWarning):
            warn("left out", InputWarning)  # an error in tests, were it heard
            inside.set()
            assert heard.wait(60)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(quiet)
        assert inside.wait(60)
        with pytest.warns(InputWarning, match="heard"), without(ConfidenceWarning):
            warn("heard", InputWarning)
        heard.set()
        other.result()


HOSTILE = "\x1b]0;owned\x07\x9b2J\u202e half \ud800 \x00\nWrote all.\r\t"
EVERY = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PredicdiffError)]


@pytest.mark.parametrize("kind", EVERY)
def test_what_came_from_outside_steers_no_terminal_and_begins_no_line(kind: type[PredicdiffError]) -> None:
    error = kind(f"layer {HOSTILE}: unknown.", "Second line.")
    wanted = r"layer \x1b]0;owned\x07\x9b2J\u202e half \ud800 \x00\nWrote all.\r\t: unknown." + "\nSecond line."
    assert str(error) == wanted
    assert str(pickle.loads(pickle.dumps(error))) == wanted
    assert str(kind()) == ""
    made = kind.__new__(kind, "as some picklers make it")
    assert (type(made), made.args) == (kind, ("as some picklers make it",))


def test_a_long_name_makes_no_long_message() -> None:
    escapes = "\x1b" * 10**6
    message = str(SettingsError(f"layer {escapes}: unknown.", *["x" * 10**5] * 1000))
    assert len(message) == errors.MOST
    assert message.startswith(r"layer \x1b\x1b")
    assert str(SettingsError(f"layer {'x' * 10**6}: unknown.")).endswith("x: unknown.")


def test_warnings_are_one_harmless_line() -> None:
    with pytest.warns(InputWarning) as caught:
        warn(f"{HOSTILE}{'x' * 10**6}", InputWarning)
    assert str(caught[0].message).startswith(r"\x1b]0;owned\x07\x9b2J\u202e half \ud800 \x00\nWrote all.\r\txx")
    assert len(str(caught[0].message)) == errors.MOST_OF_LINE
