"""Rounding is told from a real difference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import MapNet, photo

from predicdiff import consistency

SHAPE = (2, 9, 10)
INPUTS = np.stack([photo(SHAPE, seed) for seed in range(3)])


class Rough(MapNet):
    """Rounds its scores to float16, and otherwise in company than alone, as if it added in another order."""

    step = 2.0**-8

    def compute(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        values = super().compute(inputs)
        if self.dtype == np.float32:
            values["scores"] = values["scores"] * (1 + self.step * (len(inputs) > 1))
        return values


class InDouble(Rough):
    def in_double(self) -> Any:
        return Rough(SHAPE, dtype=np.float64)


class Mixing(InDouble):
    """As rough, and really another in company."""

    def in_double(self) -> Any:
        exact = Rough(SHAPE, dtype=np.float64)
        whole = exact.compute
        exact.compute = lambda inputs: whole(inputs - (len(inputs) > 1))  # type: ignore[method-assign]
        return exact


@pytest.mark.parametrize(("kind", "real"), [(InDouble, False), (Mixing, True), (Rough, True)])
def test_float64_tells_rounding_from_a_real_difference(kind: type[Rough], real: bool) -> None:
    """Without it, what is far more than the effect of an input's own rounding is taken for real."""
    came = consistency.compare(kind(SHAPE, dtype=np.float32), INPUTS, "scores")
    assert came.varies == 0
    assert (came.mixed > 0) == real


def test_without_float64_the_rounding_of_an_input_is_the_measure() -> None:
    net = Rough(SHAPE, dtype=np.float32)
    net.step = 2.0**-16
    assert consistency.compare(net, INPUTS, "scores").mixed == 0


def test_a_float64_that_fails_is_none() -> None:
    class Failing(Rough):
        def in_double(self) -> Any:
            raise RuntimeError("expected scalar type Float")

    assert consistency.compare(Failing(SHAPE, dtype=np.float32), INPUTS, "scores").mixed > 0


def test_a_number_in_one_answer_alone_is_a_difference_whatever_float64_says() -> None:
    class Lost(InDouble):
        def compute(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
            return {name: value + (np.nan if len(inputs) > 1 else 0) for name, value in super().compute(inputs).items()}

        def in_double(self) -> Any:
            return Lost(SHAPE)

    assert consistency.compare(Lost(SHAPE, dtype=np.float32), INPUTS, "scores").mixed == np.inf


def test_infinities_in_one_answer_alone_are_a_difference() -> None:
    one = np.array([[0.0, np.inf], [1.0, 2.0]])
    assert consistency.disagreement(one, one, scale=2.0) == 0
    assert consistency.disagreement(one, np.array([[0.0, 1.0], [1.0, 2.0]]), scale=2.0) == np.inf
