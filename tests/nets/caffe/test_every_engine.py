"""Layer types on whichever engines this Python has, torch or Caffe itself, against loops and slices of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import loops
from helpers.engines import ENGINES, needed, net_of
from helpers.formulas import X, draw
from helpers.functions import FORKS, OFFICIAL, SHAPE, Case
from helpers.records import layer, net

from predicdiff.errors import BlobError, LayerError

pytestmark = needed


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


BY_ENGINE = [(name, case, engine) for engine in ENGINES for name, case in OFFICIAL.items()]
BY_ENGINE += [(name, case, "torch") for name, case in FORKS.items() if "torch" in ENGINES]


@pytest.mark.parametrize(("case", "engine"), [pytest.param(c, e, id=f"{name}-{e}") for name, c, e in BY_ENGINE])
def test_values_and_gradient_of_a_function(case: Case, engine: str) -> None:
    """Of a random sum of all that comes out, against difference quotients in float64."""
    x, step = draw(SHAPE, 12), 1e-6
    wanted = case.function(x.astype(np.float64))
    factors = draw((1, wanted.size), 13)
    weights = {**case.weights, "sum": [factors]}
    summed = layer("InnerProduct", "top", "sum", num_output=1, bias_term=False)
    made = net_of(net(SHAPE, *case.layers, summed), weights, engine=engine)
    assert made.blobs["top"] == wanted.shape
    np.testing.assert_allclose(made.forward(x[None], ["top"])["top"][0], wanted, rtol=1e-5, atol=1e-5)
    slopes = np.zeros(SHAPE)
    for place in np.ndindex(*SHAPE):
        moved = np.zeros(SHAPE)
        moved[place] = step
        slopes[place] = (factors @ (case.function(x + moved) - case.function(x - moved)).ravel()).item() / (2 * step)
    gradient = made.gradient(x, blob="sum", unit=0)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(slopes).max()))


def test_a_threshold_and_its_gradient(engine: str) -> None:
    """It has none in Caffe, which would end the process, and is flat in torch: what goes past it remains."""
    steps = layer("Threshold", "data", "steps", threshold=0.2)
    made = net_of(net(SHAPE, steps, layer("Eltwise", "data steps", "sum", coeff=[3.0, 1.0])), {}, engine=engine)
    x = draw(SHAPE)
    np.testing.assert_array_equal(made.forward(x[None], ["steps"])["steps"][0], x > 0.2)
    if engine == "caffe":
        with pytest.raises(LayerError, match=r"'steps' \(Threshold\) has no gradient in Caffe: want a blob before it"):
            made.gradient(x, blob="sum", unit=(0, 1, 2))
        return
    assert made.gradient(x, blob="sum", unit=(0, 1, 2))[0, 1, 2] == 3


EQUALS = np.array([[1, 5, 2], [5, 0, 5]], np.float32).reshape(2, 3, 1)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, [[[5]]]),
        ({"top_k": 4}, [[[5], [3], [1], [2]]]),
        ({"top_k": 2, "out_max_val": True}, [[[5], [3]], [[5], [5]]]),
        ({"axis": 2}, [[[1]], [[2]]]),
        ({"axis": 1}, [[[1], [0], [1]]]),
        ({"axis": 2, "top_k": 2, "out_max_val": True}, [[[5], [2]], [[5], [5]]]),
    ],
)
def test_largest_values_of_equals_the_later_first(fields: dict[str, Any], wanted: Any, engine: str) -> None:
    largest = net_of(net(EQUALS.shape, layer("ArgMax", "data", "top", **fields)), {}, engine=engine)
    value = largest.forward(EQUALS[None], ["top"])["top"][0]
    np.testing.assert_array_equal(value, wanted)


def test_an_index_has_no_gradient_and_is_in_the_way_of_none(engine: str) -> None:
    made = net_of(net(SHAPE, layer("Power", "data", "a", scale=3.0), layer("ArgMax", "a", "index")), {}, engine=engine)
    assert made.gradient(draw(SHAPE), blob="a", unit=(0, 1, 2))[0, 1, 2] == 3
    with pytest.raises((BlobError, LayerError), match="has no gradient"):
        made.gradient(draw(SHAPE), blob="index", unit=0)


@pytest.mark.parametrize(
    ("kind", "fields", "wrong"),
    [
        ("BNLL", {}, True),
        ("Clip", {"min": -0.5, "max": 0.5}, True),
        ("Exp", {}, False),
        ("Exp", {"base": 1.0}, False),
        ("Log", {"shift": 9.0}, True),
        ("Swish", {}, False),
        ("ELU", {}, False),
        ("ELU", {"alpha": -0.5}, True),
        ("ReLU", {"negative_slope": 0.2}, False),
        ("ReLU", {"negative_slope": -0.2}, True),
        ("MVN", {}, True),
        ("TanH", {}, False),
    ],
)
def test_in_place_the_gradient_is_the_same_or_refused(
    kind: str, fields: dict[str, float], wrong: bool, engine: str
) -> None:
    before, x = layer("Power", "data", "a", scale=1.5), draw(SHAPE)
    apart, above = (
        net_of(net(SHAPE, before, layer(kind, "a", top, name=kind, **fields)), {}, engine=engine) for top in "ba"
    )
    wanted = apart.gradient(x, blob="b", unit=(1, 0, 2))
    if engine == "caffe" and wrong:
        with pytest.raises(LayerError, match="works in place, and there Caffe's gradient is wrong"):
            above.gradient(x, blob="a", unit=(1, 0, 2))
        return
    np.testing.assert_allclose(above.gradient(x, blob="a", unit=(1, 0, 2)), wanted, rtol=1e-5, atol=1e-6)


DECONVOLUTIONS = {
    # channels, outputs, size, kernel, stride, pad, dilation, group
    "as a convolution": (2, 3, (4, 5), (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "doubled": (4, 4, (3, 4), (4, 4), (2, 2), (1, 1), (1, 1), 4),
    "gaps": (2, 2, (3, 2), (1, 2), (3, 2), (0, 0), (1, 1), 1),
    "uneven": (2, 4, (4, 3), (2, 5), (3, 1), (0, 3), (2, 1), 2),
    "one column": (1, 2, (5, 1), (3, 2), (2, 2), (2, 0), (1, 2), 1),
}


@pytest.mark.parametrize("name", DECONVOLUTIONS)
@pytest.mark.parametrize("bias", [True, False])
def test_deconvolution(name: str, bias: bool, engine: str) -> None:
    channels, out, size, kernel, stride, pad, dilation, group = DECONVOLUTIONS[name]
    x, weight = draw((2, channels, *size)), draw((channels, out // group, *kernel), 1)
    offset = draw((out,), 2) * bias
    sides = {
        f"{word}_{side}": pair[i]
        for word, pair in (("kernel", kernel), ("stride", stride), ("pad", pad))
        for i, side in enumerate("hw")
    }
    record = layer(
        "Deconvolution", "data", "top", num_output=out, group=group, bias_term=bias, dilation=list(dilation), **sides
    )
    up = net_of(net(x.shape[1:], record), {"top": [weight, offset][: 1 + bias]}, engine=engine)
    wanted = np.stack([loops.deconvolution(image, weight, offset, stride, pad, dilation, group) for image in x])
    assert up.blobs["top"] == wanted.shape[1:]
    np.testing.assert_allclose(up.forward(x, ["top"])["top"], wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({"slice_point": [1]}, [X[:, :1], X[:, 1:]]),
        ({"slice_point": [1, 2], "slice_dim": 1}, [X[:, :1], X[:, 1:2], X[:, 2:]]),
        ({}, [X[:, :1], X[:, 1:2], X[:, 2:]]),
        ({"axis": -1}, [X[..., :1], X[..., 1:]]),
        ({"axis": 2}, [X]),
    ],
)
def test_slice(fields: dict[str, Any], parts: list[np.ndarray], engine: str) -> None:
    tops = [f"part{i}" for i in range(len(parts))]
    sliced = net_of(net(X.shape[1:], layer("Slice", "data", " ".join(tops), **fields)), {}, engine=engine)
    values = sliced.forward(X, tops)
    for top, part in zip(tops, parts):
        np.testing.assert_array_equal(values[top], part.astype(np.float32))


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, X[:, :, :1, :1]),
        ({"offset": [1]}, X[:, :, 1:, 1:]),
        ({"offset": [0, 1]}, X[:, :, :1, 1:]),
        ({"axis": 3, "offset": [1]}, X[..., 1:]),
        ({"axis": 1, "offset": [0, 1, 0]}, X[:, :, 1:, :1]),
    ],
)
def test_crop(fields: dict[str, Any], wanted: np.ndarray, engine: str) -> None:
    like = layer("Pooling", "data", "like", kernel_size=2)
    cropped = net_of(net(X.shape[1:], like, layer("Crop", "data like", "top", **fields)), {}, engine=engine)
    np.testing.assert_array_equal(cropped.forward(X, ["top"])["top"], wanted.astype(np.float32))


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize("pad", [0, 1])
def test_pooling_that_rounds_down(method: str, pad: int, engine: str) -> None:
    """3 x 4 places, windows of 2 at every second one: rounded up there would be one window more along the rows."""
    x, (kernel, stride) = draw((2, 2, 3, 4)) - 3, ((2, 2), (2, 2))
    fields = {"kernel_size": 2, "stride": 2, "pad": pad, "round_mode": "FLOOR"}
    pool = net_of(net(x.shape[1:], layer("Pooling", "data", "top", pool=method, **fields)), {}, engine=engine)
    size = (1 + pad, 2 + pad)
    wanted = np.stack([loops.pooling(image, method, kernel, stride, (pad, pad), size) for image in x])
    assert pool.blobs["top"] == (2, *size)
    np.testing.assert_allclose(pool.forward(x, ["top"])["top"], wanted, rtol=1e-6)
    gradient = pool.gradient(x[0], blob="top", unit=(1, 0, 1))
    step = np.zeros_like(x[0], np.float64)
    for place in np.ndindex(*step.shape):
        moved = x[0].astype(np.float64)
        moved[place] += 1e-3
        changed = loops.pooling(moved, method, kernel, stride, (pad, pad), size)[1, 0, 1]
        step[place] = (changed - wanted[0, 1, 0, 1]) / 1e-3
    np.testing.assert_allclose(gradient, step, atol=1e-3)


def up_and_down(engine: str) -> Any:
    """A net that enlarges, slices, takes the larger of two parts, and crops to the size of its input."""
    spec = net(
        (2, 3, 4),
        layer("Deconvolution", "data", "up", num_output=4, kernel_size=[3], stride=[2], pad=[1], group=2),
        layer("Slice", "up", "left right", name="slice"),
        layer("Eltwise", "left right", "larger", operation="MAX"),
        layer("Crop", "larger data", "crop", offset=[2, 1]),
        layer("InnerProduct", "crop", "fc", num_output=3),
    )
    weights = {"up": [draw((2, 2, 3, 3), 1), draw((4,), 2)], "fc": [draw((3, 24), 3), draw((3,), 4)]}
    return net_of(spec, weights, engine=engine)


def by_hand(x: np.ndarray) -> np.ndarray:
    up = loops.deconvolution(x, draw((2, 2, 3, 3), 1), draw((4,), 2), (2, 2), (1, 1), (1, 1), 2)
    crop = np.maximum(up[:2], up[2:])[:, 2:5, 1:5]
    return draw((3, 24), 3).astype(np.float64) @ crop.ravel() + draw((3,), 4)


def test_gradient_through_all_three(engine: str) -> None:
    """The crop's second bottom, of which it takes the shape alone, adds nothing."""
    x, step = draw((2, 3, 4), 5).astype(np.float64), 1e-6
    gradient = up_and_down(engine).gradient(x.astype(np.float32), blob="fc", unit=1)
    wanted = np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        moved = np.zeros_like(x)
        moved[place] = step
        wanted[place] = (by_hand(x + moved)[1] - by_hand(x - moved)[1]) / (2 * step)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-4)


def test_windows_through_all_three(engine: str) -> None:
    x, patches = draw((2, 3, 4), 5), draw((3, 2, 2, 2, 2), 6)
    origins = np.array([[0, 0], [1, 2], [0, 1]])
    values = up_and_down(engine).evaluate(x, origins, patches, blob="fc", units=[(0,), (2,)], batch_size=4)
    for window, sample in np.ndindex(3, 2):
        changed, (row, column) = x.astype(np.float64), origins[window]
        changed[:, row : row + 2, column : column + 2] = patches[window, sample]
        np.testing.assert_allclose(values[window, sample], by_hand(changed)[[0, 2]], rtol=1e-4, atol=1e-4)
