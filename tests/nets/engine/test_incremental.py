"""Only what windows change is computed, and it comes out as it does when all is: random nets of Caffe's layers."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from helpers.patched import origins, read, set_in, some_units  # noqa: E402
from helpers.random_caffe import ALL, EXACT, layer_by_layer, specs, weights  # noqa: E402
from helpers.records import layer, net  # noqa: E402
from helpers.rounding import float32_atol  # noqa: E402

from predicdiff.nets.caffe.torch_net import CaffeTorchNet  # noqa: E402
from predicdiff.nets.engine import linear  # noqa: E402

#: Many small checks are what finds a border that one layer treats otherwise.
often = settings(max_examples=60)


class Case:
    """A net, an image and windows on it, or on a hidden blob; drawn at random."""

    def __init__(self, data: st.DataObject, kinds: tuple[str, ...], *, exact: bool, hidden: bool) -> None:
        self.spec = data.draw(specs(kinds))
        generator = np.random.default_rng(data.draw(st.integers(0, 99)))
        self.weights = weights(self.spec, generator, exact=exact)
        self.net = CaffeTorchNet(self.spec, self.weights, device="cpu")
        with_places = [blob for blob, shape in self.net.blobs.items() if len(shape) in (1, 3)]
        self.start = data.draw(st.sampled_from(with_places)) if hidden else None
        below = [blob for blob in self.net.blobs if self.start is None or self.after(blob)]
        assume(below)
        self.blob = data.draw(st.sampled_from(below[-3:]))
        self.ground = (*self.net.blobs[self.start or "data"], 1, 1)[:3]
        window, self.origins = data.draw(origins(self.ground[1:]))
        shape = (len(self.origins), data.draw(st.integers(1, 4)), self.ground[0], *window)
        self.image, self.patches = (
            (generator.integers(-2, 3, s) if exact else generator.standard_normal(s)).astype(np.float32)
            for s in (self.net.input_shape, shape)
        )
        self.units = data.draw(some_units(self.net.blobs[self.blob]))
        self.batch_size = data.draw(st.integers(1, 14))

    def after(self, blob: str) -> bool:
        seen = {self.start}
        for record in self.spec.layers:
            if seen.intersection(record.bottoms):
                seen.update(record.tops)
        try:
            self.net.check_downstream(self.start, blob)
        except Exception:
            return False
        return blob in seen and blob != self.start

    def found(self, **change: Any) -> np.ndarray:
        ask: dict[str, Any] = {"blob": self.blob, "units": self.units, "batch_size": self.batch_size}
        hidden = {} if self.start is None else {"start": self.start}
        return self.net.evaluate(self.image, self.origins, self.patches, **{**ask, **hidden, **change})

    def wanted(self) -> np.ndarray:
        ground = self.image
        if self.start is not None:
            ground = self.blobs(self.image[None], None)[self.start][0].reshape(self.ground)
        changed = set_in(ground, self.origins, self.patches)
        return read(self.blobs(changed, self.start)[self.blob], self.units, self.patches)

    def blobs(self, changed: np.ndarray, start: str | None) -> dict[str, np.ndarray]:
        return layer_by_layer(self.spec, self.weights, self.image, changed, start)


def agree(values: np.ndarray, wanted: np.ndarray) -> None:
    """To the rounding of single precision, through a few layers."""
    np.testing.assert_allclose(values, wanted, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(wanted).max())))


@often
@given(data=st.data())
def test_random_nets(data: st.DataObject) -> None:
    case = Case(data, ALL, exact=False, hidden=False)
    agree(case.found(), case.wanted())
    assert case.net.work.done <= case.net.work.dense
    case.net.incremental = False
    agree(case.found(), case.wanted())


@often
@given(data=st.data())
def test_random_nets_from_a_hidden_blob_on(data: st.DataObject) -> None:
    case = Case(data, ALL, exact=False, hidden=True)
    agree(case.found(), case.wanted())
    case.net.incremental = False
    agree(case.found(), case.wanted())


@often
@given(data=st.data(), hidden=st.booleans())
def test_whole_numbers_come_out_to_the_last_bit(data: st.DataObject, hidden: bool) -> None:
    case = Case(data, EXACT, exact=True, hidden=hidden)
    bound = {name: [np.abs(array) for array in arrays] for name, arrays in case.weights.items()}
    most = layer_by_layer(
        case.spec,
        bound,
        np.full(case.net.input_shape, 3.0, np.float32),
        np.full((1, *case.net.input_shape), 3.0, np.float32),
    )
    assume(max(values.max() for values in most.values()) < 2**22)  # so that no sum on the way is rounded
    case.units = [unit for unit in case.units if len(unit) == len(case.net.blobs[case.blob])]
    assume(case.units)
    wanted = case.wanted()
    np.testing.assert_array_equal(case.found(), wanted)
    np.testing.assert_array_equal(case.found(batch_size=1), wanted)
    np.testing.assert_array_equal(case.found(batch_size=999), wanted)


# chosen nets


SHAPE = (2, 8, 9)


def chosen(*records: Any) -> Case:
    """A net of given layers, and three windows of 3 x 3, two of them in corners."""
    case = Case.__new__(Case)
    generator = np.random.default_rng(0)
    case.spec = net(SHAPE, *records)
    case.weights = weights(case.spec, generator)
    case.net = CaffeTorchNet(case.spec, case.weights, device="cpu")
    case.start, case.blob, case.ground = None, list(case.net.blobs)[-1], SHAPE
    case.origins = np.array([[0, 0], [5, 6], [2, 3]])
    case.image = generator.standard_normal(SHAPE).astype(np.float32)
    case.patches = generator.standard_normal((3, 4, 2, 3, 3)).astype(np.float32)
    case.units = [(0,), (1,)]
    case.batch_size = 5
    return case


CONV = layer("Convolution", "data", "c", num_output=2, kernel_size=[3], pad=[1])


@pytest.mark.parametrize("kind", ["Split", "Dropout"])
def test_a_rectifier_in_place_leaves_others_their_values(kind: str) -> None:
    """Both names stand for the same memory until the rectifier works on one of them."""
    share = [layer("Split", "c", "p q")] if kind == "Split" else [layer(kind, "c", "p"), layer(kind, "c", "q")]
    over = layer("ReLU", "q", "q", name="relu")
    case = chosen(CONV, *share, over, layer("Eltwise", "p q", "s"))
    agree(case.found(), case.wanted())


@pytest.mark.parametrize("batch_size", [1, 2, 4, 7, 8, 12, 400])
def test_any_batch_size(batch_size: int) -> None:
    case = chosen(
        CONV, layer("LRN", "c", "n", local_size=3), layer("Pooling", "n", "p", kernel_size=3, stride=2),
        layer("InnerProduct", "p", "f", num_output=3), layer("Softmax", "f", "prob"),
    )  # fmt: skip
    agree(case.found(batch_size=batch_size), case.wanted())


def test_a_convolution_of_one_channel_that_leaves_columns_out() -> None:
    """Of such torch's convolutions give other values if the channel is said to come last in memory."""
    spec = net(
        (1, 6, 4), layer("Convolution", "data", "c", num_output=1, kernel_h=3, kernel_w=2, stride_h=1, stride_w=3)
    )
    case = chosen(*spec.layers)
    case.spec, case.ground = spec, (1, 6, 4)
    generator = np.random.default_rng(0)
    case.weights = weights(spec, generator)
    case.net = CaffeTorchNet(spec, case.weights, device="cpu")
    case.image = generator.standard_normal((1, 6, 4)).astype(np.float32)
    case.origins, case.patches = np.array([[2, 0]]), case.patches[:1, :, :1, :1, :1]
    case.units, case.batch_size = [(0, 1, 0), (0, 3, 0)], 4
    agree(case.found(), case.wanted())


def test_the_input_itself_may_be_asked_for() -> None:
    case = chosen(CONV)
    case.blob = "data"
    np.testing.assert_array_equal(case.found(), case.wanted())


def test_windows_that_the_net_does_not_look_at() -> None:
    """Of each 3 x 3 the convolution sees one corner."""
    case = chosen(layer("Convolution", "data", "c", num_output=2, kernel_size=[1], stride=[3]),
                  layer("InnerProduct", "c", "f", num_output=2))  # fmt: skip
    case.origins, case.patches = np.array([[1, 1], [0, 0], [4, 1]]), case.patches[..., :2, :2]
    values = case.found()
    agree(values, case.wanted())
    untouched = case.net.forward(case.image[None], ["f"])["f"][0]
    np.testing.assert_allclose(
        values[[0, 2]], np.broadcast_to(untouched, (2, 4, 2)), rtol=0, atol=float32_atol(untouched, 16)
    )


def test_a_layer_in_place_on_the_input() -> None:
    case = chosen(layer("Power", "data", "data", name="double", scale=2), CONV)
    for case.blob in ("c", "data"):
        agree(case.found(), case.wanted())


def test_nothing_that_was_given_is_changed() -> None:
    case = chosen(layer("ReLU", "data", "data", name="relu"), CONV, layer("ReLU", "c", "c", name="relu2"))
    before = case.image.copy(), case.origins.copy(), case.patches.copy()
    first = case.found()
    np.testing.assert_array_equal(case.found(), first)
    for array, old in zip((case.image, case.origins, case.patches), before):
        np.testing.assert_array_equal(array, old)


def test_work_as_counted_by_hand() -> None:
    """Of 8 x 9 places a convolution reads the 3 x 3 that a window changes, then the linear layer reads all."""
    case = chosen(CONV, layer("InnerProduct", "c", "f", num_output=3))
    case.units = [(0,), (1,), (2,)]
    case.origins, case.patches = np.array([[2, 3]]), case.patches[:1]
    case.found()
    convolution, linear = 2 * 2 * 9, 3 * 2 * 72
    assert case.net.work.done == 4 * (9 * convolution + linear)
    assert case.net.work.dense == 4 * (72 * convolution + linear)
    case.origins = np.array([[0, 0]])
    case.found()
    assert case.net.work.done == 4 * (18 * convolution + 2 * linear)
    case.net.incremental = False
    case.found()
    assert case.net.work.done == 4 * ((18 + 72) * convolution + 3 * linear)
    assert case.net.work.dense == 3 * 4 * (72 * convolution + linear)


def test_a_linear_layer_reads_the_places_that_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 1 x 1 convolution leaves three windows of 3 x 3 at neighbouring places; they are 4 x 4 of 8 x 9 together."""
    monkeypatch.setattr(linear, "LEAST", 1)
    case = chosen(layer("Convolution", "data", "c", num_output=2, kernel_size=[1]), layer("Dropout", "c", "d"),
                  layer("Flatten", "d", "v"), layer("InnerProduct", "v", "f", num_output=3))  # fmt: skip
    case.units, case.origins = [(0,), (1,), (2,)], np.array([[2, 3], [3, 4], [2, 4]])
    agree(case.found(), case.wanted())
    assert case.net.work.done == 12 * (9 * 4 + 16 * 2 * 3)
    case.origins = np.array([[0, 0], [5, 6], [2, 3]])  # all over the map, so that it is read as a whole
    agree(case.found(), case.wanted())
    assert case.net.work.done == 12 * (9 * 4 + 16 * 2 * 3) + 12 * (9 * 4 + 72 * 2 * 3)


@often
@given(data=st.data())
def test_random_nets_with_linear_layers_of_what_changed(data: st.DataObject) -> None:
    with mock.patch.object(linear, "LEAST", 1):
        case = Case(data, ("convolution", "inner", "flatten", "maximum", "rectifier"), exact=False, hidden=False)
        agree(case.found(), case.wanted())


def test_a_net_without_multiplications_counts_none() -> None:
    case = chosen(layer("ReLU", "data", "r"))
    case.found()
    assert (case.net.work.done, case.net.work.dense) == (0, 0)


def test_what_a_hidden_blob_does_not_reach_is_not_done_again() -> None:
    case = chosen(
        CONV, layer("Convolution", "c", "d", num_output=2, kernel_size=[1]),
        layer("Convolution", "data", "e", num_output=2, kernel_size=[1]), layer("Eltwise", "d e", "s"),
    )  # fmt: skip
    case.start, case.ground = "c", (2, 8, 9)
    agree(case.found(), case.wanted())
    assert case.net.work.done == 3 * 4 * 9 * 4
    assert case.net.work.dense == 3 * 4 * 72 * 4
