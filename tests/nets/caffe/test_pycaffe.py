"""What is Caffe's own about nets that Caffe runs: its layers, hidden starts, what would end the process."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

caffe = pytest.importorskip("caffe")

from helpers.engines import net_of  # noqa: E402
from helpers.formulas import FORMULAS, WITH_WEIGHTS, X, draw  # noqa: E402
from helpers.patched import read, set_in  # noqa: E402
from helpers.prototxt import prototxt  # noqa: E402
from helpers.records import layer, net  # noqa: E402
from helpers.small_net import SHAPE, definition, images, make, weights  # noqa: E402

from predicdiff.algorithm import explain  # noqa: E402
from predicdiff.errors import BlobError, InputWarning, LayerError, SettingsError, WeightsError  # noqa: E402
from predicdiff.nets.caffe.caffemodel_writer import caffemodel  # noqa: E402
from predicdiff.nets.caffe.layer_types import JUDGES, READERS, REFUSED, TYPES  # noqa: E402
from predicdiff.nets.caffe.pycaffe import CaffeNet  # noqa: E402
from predicdiff.nets.caffe.records import Layer  # noqa: E402
from predicdiff.nets.caffe.resolved import resolve  # noqa: E402
from predicdiff.nets.zoo import caffe_facts, load_net  # noqa: E402
from predicdiff.samplers import MarginalSampler  # noqa: E402


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name: str) -> None:
    record, wanted = FORMULAS[name]
    value = net_of(net(X.shape[1:], record), {}, engine="caffe").forward(X, ["top"])["top"]
    np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_formula_with_weights(name: str) -> None:
    """BatchNorm's stored factor of 0 too, which Caffe alone can settle."""
    record, arrays, wanted = WITH_WEIGHTS[name]
    caffe_net = net_of(net(X.shape[1:], record), {"top": arrays}, engine="caffe")
    np.testing.assert_allclose(caffe_net.forward(X, ["top"])["top"], wanted, rtol=1e-5, atol=1e-5)


def test_the_tiny_net_as_recorded(data: Path) -> None:
    caffe_net = load_net(data / "tiny_v1.prototxt", weights=data / "tiny_v1.caffemodel", engine="caffe", device="cpu")
    assert isinstance(caffe_net, CaffeNet)
    with np.load(data / "tiny_caffe.npz") as recorded:
        values = caffe_net.forward(recorded["images"][:2], list(caffe_net.blobs))
        for name, value in values.items():
            np.testing.assert_allclose(value, recorded[f"blob:{name}"], rtol=0, atol=1e-5, err_msg=name)
        for image, wanted in zip(recorded["images"], recorded["grad_fc2"]):
            np.testing.assert_allclose(caffe_net.gradient(image, blob="fc", unit=2), wanted, rtol=0, atol=1e-6)
    assert caffe_net.provenance["engine"] == "caffe"
    assert caffe_net.provenance["engine_version"] == caffe.__version__
    assert caffe_net.evaluation("fc") == f"dense, by Caffe {caffe.__version__} on the CPU"


def test_threads_wait_for_each_other() -> None:
    """Caffe keeps a net's blobs in one place, and these change their size from call to call."""
    caffe_net, inputs = make(engine="caffe"), images(4, *SHAPE)
    wanted = [caffe_net.forward(inputs[: i + 1], ["fc"])["fc"] for i in range(4)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda i: caffe_net.forward(inputs[: i % 4 + 1], ["fc"])["fc"], range(200)))
    finally:
        sys.setswitchinterval(before)
    for i, value in enumerate(found):
        np.testing.assert_array_equal(value, wanted[i % 4])


def beside(in_place: bool = True) -> tuple[CaffeNet, Any]:
    """A net where a layer in place, beside the way from ``a``, must not work twice; and ``out`` by hand."""
    doubled = "b" if in_place else "doubled"
    first, second, last = draw((2, 3, 1, 1), 1), draw((2, 3, 1, 1), 2), draw((3, 2, 1, 1), 3)
    spec = net(
        (3, 4, 5),
        layer("Convolution", "data", "b", num_output=2, kernel_size=[1], bias_term=False),
        layer("Convolution", "data", "a", num_output=2, kernel_size=[1], bias_term=False),
        layer("Power", "b", doubled, name="doubled", scale=2.0, shift=1.0),
        layer("Eltwise", f"a {doubled}", "sum"),
        layer("Convolution", "sum", "out", num_output=3, kernel_size=[1]),
        layer("Scale", "out", "out", name="thrice"),
    )
    caffe_net = net_of(
        spec, {"a": [first], "b": [second], "out": [last, np.full(3, 0.5)], "thrice": [np.full(3, 3.0)]}, engine="caffe"
    )

    def out(a: np.ndarray, x: np.ndarray) -> np.ndarray:
        b = 2 * np.einsum("oc,chw->ohw", second[:, :, 0, 0], x) + 1
        return np.einsum("oc,bchw->bohw", last[:, :, 0, 0], a + b) * 3 + 1.5

    return caffe_net, out


@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_a_hidden_start_leaves_what_lies_beside_as_it_is(batch_size: int) -> None:
    caffe_net, out = beside()
    x, patches = images(3, 4, 5), images(3, 4, 2, 2, 1, seed=3)
    origins, units = np.array([[0, 0], [2, 3], [1, 1]]), [(1, 2, 3), (2,), (0, 1)]
    base = caffe_net.forward(x[None], ["a"])["a"][0]
    value = caffe_net.evaluate(x, origins, patches, blob="out", units=units, batch_size=batch_size, start="a")
    wanted = read(out(set_in(base, origins, patches), x), units, patches)
    np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-5)
    with pytest.raises(BlobError, match="does not lie downstream"):
        caffe_net.evaluate(x, origins, patches, blob="b", units=units[:1], batch_size=1, start="a")


def test_the_gradient_sums_over_both_branches() -> None:
    caffe_net, _ = beside(in_place=False)
    x = images(3, 4, 5)
    caffe_net.gradient(x, blob="out", unit=(0, 0, 0))  # leaves diffs that must not count
    gradient = caffe_net.gradient(x, blob="out", unit=(2, 1, 3))
    step, wanted = 1e-2, np.zeros_like(x)
    for place in [(0, 1, 3), (1, 1, 3), (2, 1, 3), (0, 0, 0)]:
        moved = np.stack([x, x])
        moved[0][place] += step
        moved[1][place] -= step
        up, down = caffe_net.forward(moved, ["out"])["out"][:, 2, 1, 3].astype(np.float64)
        wanted[place] = (up - down) / (2 * step)
        assert gradient[place] == pytest.approx(wanted[place], abs=1e-3)
    assert np.count_nonzero(gradient) == 3


def test_a_gradient_that_caffe_gets_wrong() -> None:
    """Of Power in place it gives twice what stands above, whatever that is: x -> 2 x, of which one unit is asked."""
    caffe_net, _ = beside()
    with pytest.raises(LayerError, match=r"'doubled' \(Power\) works in place, and there Caffe's gradient is wrong"):
        caffe_net.gradient(images(3, 4, 5), blob="out", unit=(2, 1, 3))
    caffe_net._net.blobs["b"].diff[...] = 5
    caffe_net._net._backward(4, 4)
    assert (caffe_net._net.blobs["b"].diff == 4).all(), "5 times 2 would be right: it squares its own factor"


def test_batches_may_change_their_size() -> None:
    caffe_net, inputs = make(engine="caffe"), images(9, *SHAPE)
    whole = caffe_net.forward(inputs, ["prob", "conv"])
    for count in (1, 4, 9, 2):
        parts = caffe_net.forward(inputs[:count], ["prob", "conv"])
        np.testing.assert_allclose(parts["prob"], whole["prob"][:count], rtol=1e-6)
        np.testing.assert_allclose(parts["conv"], whole["conv"][:count], rtol=1e-5, atol=1e-6)


def test_weights_are_copies_both_ways() -> None:
    mine = weights()
    caffe_net = net_of(definition(), mine, engine="caffe")
    mine["fc"][0][:] = 0
    copies = caffe_net.weights
    copies["conv"][0][:] = 0
    for name, arrays in weights().items():
        for value, wanted in zip(caffe_net.weights[name], arrays):
            np.testing.assert_array_equal(value, wanted)


def test_memory_is_estimated() -> None:
    caffe_net = make(engine="caffe")
    fixed, each = caffe_net.bytes_needed("prob", start=None, window=2)
    assert each >= 4 * sum(np.prod(shape) for shape in caffe_net.blobs.values())
    assert fixed > each + 4 * sum(array.size for arrays in weights().values() for array in arrays)


def test_shared_weights_of_an_hdf5_file_that_caffe_saved(tmp_path: Path) -> None:
    layers = "".join(
        f'layer {{ name: "c{i}" type: "Convolution" bottom: "{bottom}" top: "c{i}" param {{ name: "w" }} {bias}'
        "convolution_param { num_output: 2 kernel_size: 3 pad: 1 } }"
        for i, bottom, bias in ((1, "data", 'param { name: "b" }'), (2, "c1", 'param { name: "b" }'), (3, "c2", ""))
    )
    path = tmp_path / "net.prototxt"
    path.write_text(f'input: "data" input_shape {{ dim: 1 dim: 2 dim: 4 dim: 5 }} {layers}')
    saving = caffe.Net(str(path), caffe.TEST)
    for blobs in saving.params.values():
        for number, blob in enumerate(blobs):
            blob.data[...] = draw(blob.data.shape, number)
    saving.params["c3"][1].data[...] = [5, 6]
    saving.save_hdf5(str(tmp_path / "w.caffemodel.h5"))
    x = draw((1, 2, 4, 5))
    saving.blobs["data"].data[...] = x
    wanted = saving.forward()["c3"]
    ask = {"engine": "caffe", "device": "cpu", "output_is": "activation"}
    loaded = load_net(path, weights=tmp_path / "w.caffemodel.h5", **ask)
    np.testing.assert_array_equal(loaded.forward(x, ["c3"])["c3"], wanted)


def test_an_explanation_says_what_made_it() -> None:
    caffe_net, x = make(engine="caffe"), images(*SHAPE)
    result = explain(
        caffe_net, x, MarginalSampler(images(6, *SHAPE, seed=4)), window=(2, 3), samples=3, blob="fc", units=[0]
    )
    assert result.provenance["evaluation"] == f"dense, by Caffe {caffe.__version__} on the CPU"
    assert result.provenance["net"]["engine"] == "caffe"
    assert result.relevance.shape == (1, *SHAPE[1:])


def test_in_place_on_what_another_layer_reads_would_end_the_process() -> None:
    spec = net(
        (2, 3, 3),
        layer("Power", "data", "a", scale=2.0),
        layer("Power", "a", "b", scale=3.0),
        layer("ReLU", "a", "a", name="late"),
        layer("Eltwise", "a b", "sum"),
    )
    with pytest.raises(LayerError, match=r"'late' .* works in place on blob 'a', which another layer reads"):
        net_of(spec, {}, engine="caffe")


@pytest.mark.parametrize(("dims", "why"), [([1, -1], "'r' joins the images"), ([1, 24], "Check failed")])
def test_a_net_for_one_image_is_given_one_at_a_time(dims: list[int], why: str) -> None:
    """Of two images the first makes a blob of 1 x 48 in Caffe, the second ends the process."""
    spec = net((2, 3, 4), layer("Reshape", "data", "r", shape={"dim": dims}), layer("Power", "r", "twice", scale=2.0))
    with pytest.warns(InputWarning, match=rf"on several images at once \(.*{why}.*\), so each is computed alone"):
        reshaped = net_of(spec, {}, engine="caffe")
    x, patches = images(2, 3, 4), images(2, 2, 2, 1, 1, seed=3)
    np.testing.assert_array_equal(
        reshaped.forward(np.stack([x, -x]), ["twice"])["twice"], 2 * np.stack([x, -x]).reshape(2, 24)
    )
    value = reshaped.evaluate(x, np.array([[0, 0], [2, 3]]), patches, blob="twice", units=[(23,), (0,)], batch_size=4)
    np.testing.assert_array_equal(value[1, :, 0], 2 * patches[1, :, 1, 0, 0])
    np.testing.assert_array_equal(value[1, :, 1], [2 * x[0, 0, 0]] * 2)


CONV = layer("Convolution", "data", "c", num_output=2, kernel_size=[1], bias_term=False)


def foreign(*records: Layer, **weights: list[np.ndarray]) -> CaffeNet:
    """A net with layers of types that are not known here."""
    return net_of(net((2, 3, 4), CONV, *records), {"c": [draw((2, 2, 1, 1))], **weights}, engine="caffe")


def test_a_type_that_caffe_alone_knows() -> None:
    """Im2col sets the 2 x 2 places around each into channels; what a convolution of them gives is one of the map."""
    columns = Layer("i", "Im2col", ("c",), ("i",), {"convolution_param": {"kernel_size": [2]}})
    kernel, x = draw((3, 2, 2, 2), 5), images(2, 3, 4)
    known = net_of(
        net((2, 3, 4), CONV, layer("Convolution", "c", "out", num_output=3, kernel_size=[2], bias_term=False)),
        {"c": [draw((2, 2, 1, 1))], "out": [kernel]}, engine="caffe",
    )  # fmt: skip
    last = layer("Convolution", "i", "out", num_output=3, kernel_size=[1], bias_term=False)
    made = foreign(columns, last, out=[kernel.reshape(3, 8, 1, 1)])
    assert made.blobs["i"] == (8, 2, 3)
    ask = {"blob": "out", "units": [(1, 0, 2)], "batch_size": 3}
    patches, origins = images(2, 2, 2, 2, 2, seed=3), np.array([[0, 0], [1, 2]])
    for found, wanted in (
        (made.forward(x[None], ["out"])["out"], known.forward(x[None], ["out"])["out"]),
        (made.gradient(x, blob="out", unit=(1, 0, 2)), known.gradient(x, blob="out", unit=(1, 0, 2))),
        (made.evaluate(x, origins, patches, **ask), known.evaluate(x, origins, patches, **ask)),
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_type_that_caffe_alone_knows_in_a_file(tmp_path: Path) -> None:
    columns = Layer("i", "Im2col", ("data",), ("i",), {"convolution_param": {"kernel_size": [2]}})
    spec = net((2, 3, 4), columns, layer("InnerProduct", "i", "fc", num_output=3), layer("Softmax", "fc", "prob"))
    files = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    files[0].write_text(prototxt(spec))
    known = net((2, 3, 4), layer("InnerProduct", "data", "fc", num_output=3))
    weights = draw((3, 48)), draw((3,))
    with pytest.raises(LayerError, match=r"net.prototxt: layer 'i' is of type 'Im2col', .*, or --engine caffe"):
        caffe_facts(files[0])
    files[1].write_bytes(b"".join(caffemodel(resolve(known), {"fc": [draw((3, 24)), weights[1]]})))
    with pytest.raises(WeightsError, match=r"layer 'fc' .* wants \(3, 48\), \(3,\)"):
        load_net(files[0], weights=files[1], engine="caffe")
    wide = net((2, 3, 8), layer("InnerProduct", "data", "fc", num_output=3))
    files[1].write_bytes(b"".join(caffemodel(resolve(wide), {"fc": list(weights)})))
    made = load_net(files[0], weights=files[1], engine="caffe")
    assert (made.blobs["i"], made.scores, made.output) == ((8, 2, 3), "fc", "prob")


def test_what_caffe_would_end_the_process_for_in_such_layers() -> None:
    index = Layer("e", "Embed", ("c",), ("e",), {"embed_param": {"num_output": 2, "input_dim": 9, "bias_term": False}})
    words = foreign(index, e=[draw((9, 2))])
    with pytest.raises(LayerError, match=r"Caffe can't run net 'net' backwards: .*Can't backpropagate to EmbedLayer"):
        words.gradient(np.zeros((2, 3, 4), np.float32), blob="e", unit=(0, 0, 0))
    with pytest.raises(LayerError, match=r"Caffe can't build .*net.prototxt: Check failed"):
        foreign(Layer("f", "Filter", ("c", "data"), ("f",), {}))


def test_what_caffe_says_is_told_without_addresses() -> None:
    above = layer("AbsVal", "data", "data", name="above")
    with pytest.raises(LayerError, match=r"bottom\[0\] AbsVal Layer does not allow in-place computation"):
        net_of(net((2, 3, 4), above), {}, engine="caffe")


def test_every_type_of_caffe_has_an_answer() -> None:
    """Known, of training, or a sentence."""
    unknown = set(caffe.layer_type_list()) - {*TYPES, *REFUSED}
    assert {kind for kind in unknown if not kind.endswith(READERS + JUDGES)} == {"Input"}


def test_weights_that_do_not_fit() -> None:
    wrong = weights()
    wrong["fc"][0] = wrong["fc"][0][:, 1:]
    with pytest.raises(WeightsError, match="layer 'fc'"):
        net_of(definition(), wrong, engine="caffe")


def test_what_caffe_cannot_run() -> None:
    with pytest.raises(SettingsError, match="efficientnet_lite0 is a torch module, which Caffe can't run"):
        load_net("efficientnet_lite0", engine="caffe")
    with pytest.raises(SettingsError, match="precision bfloat16 is torch's"):
        load_net("googlenet", engine="caffe", precision="bfloat16")
