"""How large an ONNX model's values are said to be before it runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from helpers.onnx_models import model, node  # noqa: E402

from predicdiff import budget, load_net  # noqa: E402
from predicdiff.errors import OutOfMemoryError  # noqa: E402
from predicdiff.nets.onnx.sizes import sizes  # noqa: E402

TAIL = [node("GlobalAveragePool", "wide", "pool"), node("Flatten", "pool", "out")]


def test_each_value_is_counted_with_its_own_numbers() -> None:
    kernel = np.zeros((64, 3, 9, 9), np.float32)
    nodes = [node("Conv", "x kernel", "wide"), *TAIL, node("Cast", "out", "half", to=onnx.TensorProto.FLOAT16)]
    made = model(nodes, {"kernel": kernel}, shape=("N", 3, 12, 10), outputs={"half": ("N", 64)})
    assert sorted(sizes(made, "x", (5, 3, 12, 10))) == sorted([5 * 64 * 4 * 2 * 4, 5 * 64 * 4, 5 * 64 * 4, 5 * 64 * 2])


@pytest.mark.parametrize("by_shape", [False, True])
def test_a_small_file_of_a_large_net_is_refused_before_it_runs(tmp_path: Path, by_shape: bool) -> None:
    """Of 3 images it would make 3 x 3 x 4,000 x 5,000 numbers, which would take 720 MB."""
    nodes = [node("Shape", "x", "now"), node("Mul", "now factor", "size")] if by_shape else []
    weights = {"factor" if by_shape else "size": np.array([1, 1 if by_shape else 3, 4000, 5000], np.int64)}
    made = model(
        [*nodes, node("Expand", "x size", "wide"), *TAIL], weights, shape=("N", 3, 1, 1), outputs={"out": ("N", 3)}
    )
    onnx.save(made, tmp_path / "net.onnx")
    with budget.within(10**8), pytest.raises(OutOfMemoryError, match="'net' computes wants 720 MB of memory, and 100 "):
        load_net(tmp_path / "net.onnx")
