"""The methods that all nets share, on small nets given by layer records, on each engine that is installed."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest
from helpers.engines import ENGINES, needed, net_of
from helpers.records import layer, net
from helpers.small_net import SHAPE, images
from helpers.small_net import make as made_on
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from predicdiff.errors import BlobError, ImageError, SettingsError, WindowError
from predicdiff.images import View
from predicdiff.nets.preprocessing import Preprocessing

pytestmark = needed
Make = Callable[..., Any]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(engine: str) -> Make:
    """Makes the small net on an engine."""
    return lambda *shape, **about: made_on(*shape, engine=engine, **about)


def linear(engine: str) -> tuple[Any, np.ndarray]:
    """A net whose blob ``fc`` (2, 3) is a product with a matrix; and that matrix."""
    matrix = images(6, 30, seed=5)
    spec = net((1, 6, 5), layer("InnerProduct", "data", "vector", num_output=6, bias_term=False),
               layer("Reshape", "vector", "fc", shape={"dim": [0, 2, 3]}))  # fmt: skip
    return net_of(spec, {"vector": [matrix]}, engine=engine), matrix


def test_forward_gives_copies(make: Make) -> None:
    small_net, inputs = make(), images(2, *SHAPE)
    before = inputs.copy()
    values = small_net.forward(inputs, ["conv", "prob", "data"])
    assert {name: value.shape for name, value in values.items()} == {
        "conv": (2, 4, 4, 3), "prob": (2, 3), "data": (2, *SHAPE),
    }  # fmt: skip
    assert all(value.dtype == np.float32 and value.flags.c_contiguous for value in values.values())
    np.testing.assert_array_equal(values["data"], before)
    values["data"][:] = values["conv"][:] = 0
    np.testing.assert_array_equal(inputs, before)
    assert small_net.forward(inputs, ["conv"])["conv"].max() > 0


@pytest.mark.parametrize("call", ["forward", "gradient", "evaluate", "bytes_per_input"])
def test_unknown_blob(make: Make, call: str) -> None:
    small_net, x = make(), images(*SHAPE)
    calls = {
        "forward": lambda: small_net.forward(x[None], ["fc", "probs"]),
        "gradient": lambda: small_net.gradient(x, blob="probs", unit=0),
        "evaluate": lambda: small_net.evaluate(
            x, np.zeros((1, 2), int), x[None, None, :, :2, :2], blob="probs", units=[(0,)], batch_size=1
        ),
        "bytes_per_input": lambda: small_net.bytes_per_input("probs"),
    }
    with pytest.raises(BlobError, match=r"no blob 'probs'. Near names: prob"):
        calls[call]()


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (np.zeros(SHAPE), r"wants an array \(b, 3, 6, 5\), not one of shape \(3, 6, 5\)"),
        (np.zeros((2, 3, 5, 6)), r"wants an array \(b, 3, 6, 5\), not one of shape \(2, 3, 5, 6\)"),
        (np.zeros((0, *SHAPE)), r"not one of shape \(0, 3, 6, 5\)"),
        (np.full((1, *SHAPE), "a"), "wants numbers, not an array of <U1"),
        (np.zeros((1, *SHAPE), complex), "wants numbers, not an array of complex"),
        (np.full((1, *SHAPE), np.nan), "wants finite numbers"),
        (np.full((1, *SHAPE), 1e300), "wants finite numbers"),
    ],
)
def test_inputs_that_do_not_fit(make: Make, inputs: np.ndarray, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        make().forward(inputs, ["prob"])
    if inputs.ndim == 4 and len(inputs) == 1:
        with pytest.raises(ImageError, match=words):
            make().gradient(inputs[0], blob="prob", unit=0)


def test_bytes_as_inputs(make: Make) -> None:
    inputs = np.arange(90, dtype=np.uint8).reshape(1, *SHAPE)
    assert make().forward(inputs, ["data"])["data"].tolist() == inputs.tolist()


@pytest.mark.parametrize(("unit", "rows"), [((1, 2), [5]), ([0, 1], [1]), ((1,), [3, 4, 5]), (0, [0, 1, 2])])
def test_gradient_of_a_linear_net(engine: str, unit: Any, rows: list[int]) -> None:
    linear_net, matrix = linear(engine)
    gradient = linear_net.gradient(images(1, 6, 5), blob="fc", unit=unit)
    np.testing.assert_allclose(gradient, matrix[rows].mean(axis=0).reshape(1, 6, 5), atol=1e-6)
    assert gradient.dtype == np.float32


def test_gradient_by_difference_quotients(make: Make) -> None:
    small_net, x = make(), images(*SHAPE)
    gradient, step = small_net.gradient(x, blob="prob", unit=1), 1e-2
    moved = x + step * np.eye(90, dtype=np.float32).reshape(90, *SHAPE) * np.array([1, -1]).reshape(2, 1, 1, 1, 1)
    up, down = small_net.forward(moved.reshape(180, *SHAPE), ["prob"])["prob"][:, 1].astype(np.float64).reshape(2, 90)
    np.testing.assert_allclose(gradient.ravel(), (up - down) / (2 * step), atol=2e-3)


def test_gradient_of_the_input_itself(make: Make) -> None:
    wanted = np.zeros(SHAPE)
    wanted[1, 2, 3] = 1
    np.testing.assert_array_equal(make().gradient(images(*SHAPE), blob="data", unit=(1, 2, 3)), wanted)


@pytest.mark.parametrize("unit", [3, -1, (0, 0), ()])
def test_unit_out_of_range(make: Make, unit: Any) -> None:
    with pytest.raises(BlobError, match=r"out of range: blob 'fc' has the shape \(3,\)"):
        make().gradient(images(*SHAPE), blob="fc", unit=unit)


def by_hand(small_net: Any, pixels: np.ndarray, origins: np.ndarray, patches: np.ndarray, blob: str) -> np.ndarray:
    """Each patch set into a copy of the pixels, the whole encoded, one at a time: (n, S, ...)."""
    result = []
    for (row, column), of_window in zip(origins, patches):
        for patch in of_window:
            changed = pixels.copy()
            changed[:, row : row + patch.shape[1], column : column + patch.shape[2]] = patch
            result.append(small_net.forward(small_net.encode(changed)[None], [blob])[blob][0])
    return np.array(result).reshape(*patches.shape[:2], *result[0].shape)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    channels=st.integers(1, 4), size=st.tuples(st.integers(3, 8), st.integers(3, 8)), window=st.integers(1, 3),
    count=st.integers(1, 4), samples=st.integers(1, 3), batch_size=st.integers(1, 13), seed=st.integers(0, 99),
)  # fmt: skip
def test_evaluate_is_patches_set_in_by_hand(
    make: Make, channels: int, size: tuple[int, int], window: int, count: int, samples: int, batch_size: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    shape = (channels, *size)
    preprocessing = Preprocessing(
        channels="bgr", mean=generator.uniform(0, 1, (channels, size[0] + 2, size[1])), raw_scale=1.0,
        scale=generator.uniform(1, 2, channels),
    )  # fmt: skip
    small_net = make(shape, preprocessing=preprocessing)
    pixels = generator.uniform(0, 255, shape).astype(np.float32)
    origins = np.stack([generator.integers(0, n - window + 1, count) for n in size], axis=1)
    patches = generator.uniform(0, 255, (count, samples, channels, window, window)).astype(np.float32)
    before = pixels.copy(), origins.copy(), patches.copy()
    ask = {"batch_size": batch_size, "blob": "conv"}
    values = small_net.evaluate(pixels, origins, patches, units=[(1, 0, 0), (3,), (2, 0)], **ask)
    wanted = by_hand(small_net, pixels, origins, patches, "conv")
    assert (values.shape, values.dtype) == ((count, samples, 3), np.float64)
    near = {"rtol": 1e-5, "atol": 1e-4 * max(1, np.abs(wanted).max())}
    np.testing.assert_allclose(values[..., 0], wanted[:, :, 1, 0, 0], **near)
    np.testing.assert_allclose(values[..., 1], wanted[:, :, 3].mean(axis=(2, 3)), **near)
    np.testing.assert_allclose(values[..., 2], wanted[:, :, 2, 0].mean(axis=2), **near)
    single = small_net.evaluate(pixels, origins, patches, units=[(3, 0, 0), (1, 0, 0)], **ask)
    np.testing.assert_allclose(single, wanted[:, :, [3, 1], 0, 0], **near)
    for array, old in zip((pixels, origins, patches), before):
        np.testing.assert_array_equal(array, old)


def test_evaluate_of_no_windows(make: Make) -> None:
    values = make().evaluate(
        images(*SHAPE), np.zeros((0, 2), int), np.zeros((0, 4, 3, 2, 2)), blob="prob", units=[(0,), (1,)], batch_size=3
    )
    assert values.shape == (0, 4, 2)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"pixels": np.zeros((3, 5, 6))}, ImageError, r"wants an array \(3, 6, 5\), not one of shape \(3, 5, 6\)"),
        (
            {"patches": np.zeros((2, 4, 1, 2, 2))},
            ImageError,
            r"wants an array \(2, S, 3, h, w\), not .*\(2, 4, 1, 2, 2\)",
        ),
        ({"patches": np.zeros((3, 4, 3, 2, 2))}, ImageError, r"wants an array \(2, S, 3, h, w\)"),
        ({"patches": np.full((2, 4, 3, 2, 2), np.inf)}, ImageError, "finite numbers"),
        ({"origins": np.array([[0, 0], [5, 0]])}, WindowError, "reaches over the border"),
        ({"units": [(0,), (3,)]}, BlobError, "out of range"),
        ({"batch_size": 0}, SettingsError, "batch size 0: want at least 1"),
    ],
)
def test_evaluate_refuses(make: Make, change: dict[str, Any], kind: type[Exception], words: str) -> None:
    ask: dict[str, Any] = {
        "pixels": np.zeros(SHAPE), "origins": np.zeros((2, 2), int), "patches": np.zeros((2, 4, 3, 2, 2)),
        "blob": "prob", "units": [(0,)], "batch_size": 2,
    }  # fmt: skip
    with pytest.raises(kind, match=words):
        make().evaluate(**{**ask, **change})


def test_pixels_become_inputs(make: Make) -> None:
    preprocessing = Preprocessing(view=View(), channels="bgr", mean=[1.0, 2.0, 3.0], scale=2.0)
    small_net = make(preprocessing=preprocessing)
    image = np.zeros((6, 5, 3), np.uint8)
    image[..., 0] = 10
    encoded = small_net.preprocess(image)
    assert (encoded.dtype, encoded.shape) == (np.float32, SHAPE)
    np.testing.assert_allclose(encoded[:, 0, 0], [-2, -4, 14])
    np.testing.assert_array_equal(small_net.encode(np.stack([small_net.view(image)] * 2)), [encoded, encoded])
    with pytest.raises(ImageError, match=r"takes pixels \(\.\.\., 3, 6, 5\), not \(3, 5, 6\)"):
        small_net.encode(np.zeros((3, 5, 6)))


def test_without_preprocessing_pixels_are_inputs(make: Make) -> None:
    pixels = images(*SHAPE)
    encoded = make().encode(pixels)
    np.testing.assert_array_equal(encoded, pixels)
    assert not np.shares_memory(encoded, pixels)


def test_labels_and_instances_that_do_not_fit(make: Make) -> None:
    with pytest.raises(SettingsError, match="has 3 classes, but 2 labels came"):
        make(labels=["a", "b"])
    with pytest.raises(SettingsError, match="training_instances = 0"):
        make(training_instances=0)


def test_a_mean_that_does_not_fit(make: Make) -> None:
    with pytest.raises(SettingsError, match="mean has the shape"):
        make(preprocessing=Preprocessing(mean=[1.0, 2.0]))


def test_it_is_told_in_a_line(make: Make) -> None:
    small_net = make()
    for told in (
        repr(small_net.name),
        f"input {SHAPE}",
        f"{len(small_net.blobs)} blobs",
        f"output {small_net.output!r}",
    ):
        assert told in repr(small_net)
