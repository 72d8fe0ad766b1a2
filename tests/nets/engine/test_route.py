"""Which rectangles a change reaches and what memory that takes, against changed images and counted tensors."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from helpers.patched import origins, set_in  # noqa: E402
from helpers.random_caffe import layer_by_layer, specs, weights  # noqa: E402
from helpers.records import layer, net  # noqa: E402

from predicdiff.nets.caffe import resolved as layers  # noqa: E402
from predicdiff.nets.caffe.graph import caffe_graph  # noqa: E402
from predicdiff.nets.caffe.records import NetSpec  # noqa: E402
from predicdiff.nets.engine import geometry  # noqa: E402
from predicdiff.nets.engine.changes import Changes  # noqa: E402
from predicdiff.nets.engine.incremental import Incremental  # noqa: E402
from predicdiff.nets.engine.route import Route  # noqa: E402

CPU = torch.device("cpu")
#: Layers of which every place tells whether what it sees has changed.
OPEN = (
    "convolution", "convolution", "deconvolution", "mean", "concat", "crop", "slice", "sum", "scale", "split", "power",
    "inner",
)  # fmt: skip


def route_of(spec: NetSpec, blob: str | None = None, **settings: Any) -> tuple[Route, dict[str, list[np.ndarray]]]:
    """The way from the input to a blob, by default the last; all weights positive, so that no changes cancel."""
    plan = layers.resolve(spec)
    arrays = {name: [np.abs(array) + 0.1 for array in of_layer] for name, of_layer in weights(spec, rng()).items()}
    graph = caffe_graph(plan, {name: [torch.tensor(a) for a in of] for name, of in arrays.items()}, CPU)
    return Route(graph, 0, plan.values[blob or list(plan.blobs)[-1]], **settings), arrays


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@settings(max_examples=60)
@given(data=st.data())
def test_rectangles_are_just_what_changes(data: st.DataObject) -> None:
    """Where images that differ in a window differ on the way; only what sets inputs apart leaves gaps."""
    spec = data.draw(specs(OPEN, 5))
    blobs = layers.resolve(spec).values
    route, arrays = route_of(spec)
    shape = route.shape(0)
    window, places = data.draw(origins(shape[1:]))
    where = route.rectangles(places, window)
    arrays = {name: [array.astype(np.float64) for array in of_layer] for name, of_layer in arrays.items()}
    image, patches = np.ones(shape), np.full((len(places), 1, shape[0], *window), 1e6)
    before = layer_by_layer(spec, arrays, image, image[None])
    after = layer_by_layer(spec, arrays, image, set_in(image, places, patches))
    gaps = any(
        record.params.get("convolution_param", {}).get("dilation", [1]) != [1] or record.type == "Deconvolution"
        for record in spec.layers
    )
    for blob, value in blobs.items():
        if value not in where:
            continue
        for number in range(len(places)):
            changed = ~np.isclose(after[blob][number], before[blob][0], rtol=1e-11, atol=0).all(0)
            rows, columns = (slice(int(s.start[number]), int(s.stop[number])) for s in where[value])
            inside = np.zeros(changed.shape, bool)
            inside[rows, columns] = True
            assert not (changed & ~inside).any()
            if not gaps and changed.any():
                assert [corner.tolist() for corner in bounds(changed)] == [corner.tolist() for corner in bounds(inside)]
            if not gaps and not changed.any():
                assert not inside.any()


def bounds(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last row and column with a place."""
    indices = np.argwhere(places)
    return indices.min(0), indices.max(0)


def test_head_tail_and_what_lies_between() -> None:
    spec = net(
        (2, 8, 9),
        layer("Convolution", "data", "c", num_output=2, kernel_size=[3]), layer("Pooling", "c", "p", kernel_size=2),
        layer("Convolution", "data", "aside", num_output=2, kernel_size=[1]),
        layer("InnerProduct", "p", "f", num_output=3), layer("Softmax", "f", "prob"),
    )  # fmt: skip
    route, _ = route_of(spec)
    assert [node.name for node in route.head] == ["c", "p"]
    assert [node.name for node in route.tail] == ["f", "prob"]
    values = layers.resolve(spec).values
    assert route.frontier == [values["p"]]
    assert set(route.values) == {values[name] for name in ("data", "c", "p", "f", "prob")}
    assert (route.shape(values["c"]), route.size(values["c"])) == ((2, 6, 7), 84)
    to_maps, _ = route_of(spec, "c")
    assert ([node.name for node in to_maps.head], to_maps.tail, to_maps.frontier) == (["c"], [], [values["c"]])


@pytest.mark.parametrize(("share", "box"), [(0.7, (4, 4)), (0.3, (4, 4)), (16 / 72, (8, 9)), (0.0, (8, 9))])
def test_from_a_share_of_a_map_on_all_of_it_is_taken(share: float, box: tuple[int, int]) -> None:
    spec = net((2, 8, 9), layer("Convolution", "data", "c", num_output=2, kernel_size=[3], pad=[1]))
    route, _ = route_of(spec, share=share)
    rectangles = route.rectangles(np.array([[0, 0]]), 3)[1]
    (map_box,) = route.boxes([1], geometry.stack([rectangles])).values()
    assert (map_box.height, map_box.width) == box


class Counter:
    """Counts elements of tensors that an evaluation holds, the most at one time, by watching each step of a batch."""

    def __init__(self) -> None:
        self.most = 0

    def evaluated(self, route: Route, shape: tuple[int, ...], window: tuple[int, int], places: np.ndarray) -> int:
        engine = Incremental(route, torch.ones(1, *shape), layout=torch.contiguous_format)
        step = Changes._step

        def watched(changes: Any, *arguments: Any) -> Any:
            change = step(changes, *arguments)
            held = [each.values for each in changes.now.values()] + [change.values]
            storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in held}
            self.most = max(self.most, sum(storages.values()) // 4)
            return change

        with mock.patch.object(Changes, "_step", watched), torch.inference_mode():
            patches = torch.zeros(len(places), 1, shape[0], *window)
            for _ in engine.targets(places, patches, 1):
                pass
        return self.most


@settings(max_examples=40)
@given(data=st.data(), share=st.sampled_from([0.7, 0.0]))
def test_elements_are_estimated_from_above(data: st.DataObject, share: float) -> None:
    spec = data.draw(specs())
    route, _ = route_of(spec, share=share)
    assume(route.head)
    shape = route.shape(0)
    window, places = data.draw(origins(shape[1:]))
    assert Counter().evaluated(route, shape, window, places) <= route.elements(window)


@settings(max_examples=40)
@given(data=st.data())
def test_what_is_kept_of_the_image_is_estimated_from_above(data: st.DataObject) -> None:
    spec = data.draw(specs())
    route, _ = route_of(spec)
    shape = route.shape(0)
    window, places = data.draw(origins(shape[1:]))
    with torch.inference_mode():
        engine = Incremental(route, torch.ones(1, *shape), layout=torch.contiguous_format)
        for _ in engine.targets(places, torch.zeros(len(places), 1, shape[0], *window), 4):
            pass
    kept = engine.kept
    assert set(kept.values) == set(route.values)
    held = [*kept.values.values(), *kept._bordered.values()]
    assert sum(tensor.numel() for tensor in held) <= route.fixed_elements()
