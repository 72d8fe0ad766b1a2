"""ONNX files of every shape that exporters write, run by onnxruntime: what comes is what numpy makes of the weights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Sequence

import numpy as np
import pytest
from helpers.onnx_models import model, node
from helpers.places import ROOT

from predicdiff.errors import FormatError, InputWarning, PredicdiffError, SettingsError, WeightsError, without
from predicdiff.nets.onnx import door
from predicdiff.nets.onnx.conversion import UnconvertedError
from predicdiff.nets.zoo import load_net

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SHAPE = (3, 6, 5)
WEIGHT = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
INPUTS = np.random.default_rng(2).normal(size=(3, *SHAPE)).astype(np.float32)
SCORES = INPUTS.mean((2, 3)) @ WEIGHT.T
SHARES = np.exp(SCORES) / np.exp(SCORES).sum(1, keepdims=True)
#: Channels' means, and of these four scores.
NODES = [
    node("GlobalAveragePool", "x", "pooled"),
    node("Flatten", "pooled", "means"),
    node("Gemm", "means w", "scores", transB=1),
]


@pytest.fixture(autouse=True)
def by_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    """What onnx2torch would make of a file is tested elsewhere."""

    def refuse(*_: Any) -> None:
        raise UnconvertedError("it is not wanted")

    monkeypatch.setattr(door, "converted", refuse)


def made(nodes: Sequence[Any] = (), outputs: Any = None, *, first: Sequence[Any] = NODES, **how: Any) -> Any:
    ask = {"shape": ("N", *SHAPE), **how}
    return model([*first, *nodes], {"w": WEIGHT.astype(how.get("dtype", np.float32))},
                 outputs=outputs or {"scores": ("N", 4)}, **ask)  # fmt: skip


def loaded(folder: Path, of: Any, **how: Any) -> Any:
    (folder / "net.onnx").write_bytes(of.SerializeToString())
    with without(InputWarning):
        return load_net(folder / "net.onnx", device="cpu", **how)


def given(net: Any, blob: str) -> np.ndarray:
    return np.asarray(net.forward(INPUTS, [blob])[blob])


def test_scores_and_their_softmax(tmp_path: Path) -> None:
    net = loaded(tmp_path, made())
    assert list(net.blobs) == ["pooled", "means", "logits", "prob"]
    assert (net.name, net.input_shape, net.scores, net.output) == ("net", SHAPE, "logits", "prob")
    np.testing.assert_allclose(given(net, "logits"), SCORES, atol=1e-5)
    np.testing.assert_allclose(given(net, "prob"), SHARES, atol=1e-5)
    np.testing.assert_allclose(given(net, "means"), INPUTS.mean((2, 3)), atol=1e-5)


ENDS = {
    "softmax": ([node("Softmax", "scores", "y", axis=1)], 17),
    "softmax of the last axis by default": ([node("Softmax", "scores", "y")], 17),
    "softmax of old": ([node("Softmax", "scores", "y")], 11),
    "softmax, handed on": ([node("Softmax", "scores", "s", axis=-1), node("Identity", "s", "y")], 17),
}


@pytest.mark.parametrize("end", ENDS)
def test_what_goes_into_a_softmax_at_the_end_are_the_scores(end: str, tmp_path: Path) -> None:
    nodes, opset = ENDS[end]
    net = loaded(tmp_path, made(nodes, {"y": ("N", 4)}, opset=opset))
    np.testing.assert_allclose(given(net, "logits"), SCORES, atol=1e-5)
    np.testing.assert_allclose(given(net, "prob"), SHARES, atol=1e-5)


def test_a_sigmoid_at_the_end_and_what_a_user_says_instead(tmp_path: Path) -> None:
    file = made([node("Sigmoid", "scores", "y")], {"y": ("N", 4)})
    net = loaded(tmp_path, file)
    np.testing.assert_allclose(given(net, "prob"), 1 / (1 + np.exp(-SCORES)), atol=1e-5)
    assert net.outcomes == 2
    net = loaded(tmp_path, file, output_is="activation")
    np.testing.assert_allclose(given(net, "output"), 1 / (1 + np.exp(-SCORES)), atol=1e-5)
    assert net.output is None
    with pytest.raises(SettingsError, match="no probabilities"):
        loaded(
            tmp_path,
            made([node("Cos", "scores", "c"), node("Add", "c c", "y")], {"y": ("N", 4)}),
            output_is="probabilities",
        )


def test_a_batch_of_one_becomes_any_where_the_layers_allow_it(tmp_path: Path) -> None:
    net = loaded(tmp_path, made(shape=(1, *SHAPE), outputs={"scores": (1, 4)}))
    assert not net.alone
    np.testing.assert_allclose(given(net, "logits"), SCORES, atol=1e-5)


def test_a_batch_of_one_that_a_reshape_holds_to_is_given_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    onnx = pytest.importorskip("onnx")
    file = made([node("Reshape", "scores four", "y")], {"y": (1, 4)}, shape=(1, *SHAPE))
    file.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1, 4]), "four"))
    (tmp_path / "net.onnx").write_bytes(file.SerializeToString())
    with pytest.warns(InputWarning, match="onnxruntime, and wholly"), pytest.warns(InputWarning, match="It takes one"):
        net: Any = load_net(tmp_path / "net.onnx", device="cpu")
    assert net.alone
    assert capfd.readouterr() == ("", "")
    np.testing.assert_allclose(given(net, "logits"), SCORES, atol=1e-5)


@pytest.mark.parametrize("turned", [True, False])
def test_channels_last_as_of_tensorflow(turned: bool, tmp_path: Path) -> None:
    last = ("N", 6, 5, 3)
    first = [
        node("Transpose", "x", "first", perm=[0, 3, 1, 2]),
        node("GlobalAveragePool", "first", "pooled"),
        *NODES[1:],
    ]
    if not turned:
        first = [node("ReduceMean", "x", "means", axes=[1, 2], keepdims=0), NODES[2]]
    net = loaded(tmp_path, made(first=first, shape=last))
    assert net.input_shape == SHAPE
    np.testing.assert_allclose(given(net, "logits"), SCORES, atol=1e-5)


def test_half_precision(tmp_path: Path) -> None:
    net = loaded(tmp_path, made(dtype=np.float16))
    np.testing.assert_allclose(given(net, "logits"), SCORES, atol=2e-2)
    assert given(net, "logits").dtype == np.float32
    assert net.rounding == np.finfo(np.float16).eps / 2


def test_sides_that_are_left_open_are_to_be_given(tmp_path: Path) -> None:
    file = made(shape=("N", 3, "H", "W"))
    with pytest.raises(
        SettingsError, match=r"takes images \(3, \?, \?\), of which it leaves sizes open: give input_sh"
    ):
        loaded(tmp_path, file)
    assert loaded(tmp_path, file, input_shape=SHAPE).input_shape == SHAPE
    with pytest.raises(SettingsError, match=r"takes images \(3, \?, \?\), not the input shape \(1, 6, 5\)"):
        loaded(tmp_path, file, input_shape=(1, 6, 5))


def test_one_of_several_outputs(tmp_path: Path) -> None:
    twice = [node("Add", "scores scores", "twice")]
    file = made(twice, {"scores": ("N", 4), "twice": ("N", 4)})
    with pytest.raises(SettingsError, match=r"outputs scores, twice, of which 2 can hold classes: .* --pick NAME"):
        loaded(tmp_path, file)
    for pick in ("twice", 1):
        np.testing.assert_allclose(given(loaded(tmp_path, file, pick=pick), "logits"), 2 * SCORES, atol=1e-5)
    with pytest.raises(SettingsError, match=r"has no output 'x' .*: want one of scores, twice"):
        loaded(tmp_path, file, pick="x")
    maps = made([], {"pooled": ("N", 3, 1, 1), "scores": ("N", 4)})
    np.testing.assert_allclose(given(loaded(tmp_path, maps), "logits"), SCORES, atol=1e-5)


def test_weights_in_a_file_beside_it(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    onnx.save(made(), tmp_path / "net.onnx", save_as_external_data=True, location="net.data", size_threshold=0)
    with without(InputWarning):
        net = load_net(tmp_path / "net.onnx", device="cpu")
    np.testing.assert_allclose(given(net, "logits"), SCORES, atol=1e-5)
    (tmp_path / "net.data").unlink()
    with pytest.raises(WeightsError, match="its weights lie in another file, which cannot be read"):
        load_net(tmp_path / "net.onnx")


def test_what_the_file_says_of_labels_and_pixels(tmp_path: Path) -> None:
    about = {"names": "{0: 'cat', 1: 'dog', 2: 'cow', 3: 'hen'}", "Image.NominalPixelRange": "Normalized_1_1",
             "Image.BitmapPixelFormat": "Bgr8"}  # fmt: skip
    net = loaded(tmp_path, made(about=about))
    assert net.labels == ["cat", "dog", "cow", "hen"]
    pixels = np.broadcast_to(np.array([0, 127.5, 255], np.float32)[:, None, None], SHAPE)
    np.testing.assert_allclose(net.encode(pixels), (pixels * 2 / 255 - 1)[::-1], atol=1e-6)
    assert loaded(tmp_path, made(about={"labels": '["a", "b"]'})).labels is None


def test_others_with_the_same_weights_or_layers_are_other_nets(tmp_path: Path) -> None:
    one = loaded(tmp_path, made()).provenance
    assert loaded(tmp_path, made()).provenance == one
    doubled = loaded(tmp_path, made([node("Add", "scores scores", "y")], {"y": ("N", 4)})).provenance
    assert (doubled["weights"], doubled["definition"] == one["definition"]) == (one["weights"], False)
    net = loaded(tmp_path, made())
    other = net.with_weights({"logits": [2 * net.weights["logits"][0]]})
    np.testing.assert_allclose(given(other, "logits"), 2 * SCORES, atol=1e-5)
    assert (other.provenance["weights"] == one["weights"], other.provenance["definition"]) == (False, one["definition"])


def test_there_are_no_gradients_and_no_other_precision(tmp_path: Path) -> None:
    net = loaded(tmp_path, made())
    with pytest.raises(SettingsError, match=r"run by onnxruntime, which has no gradients: .*it is not wanted"):
        net.gradient(INPUTS[0], blob="prob", unit=1)
    with pytest.raises(SettingsError, match="precision bfloat16 is torch's"):
        loaded(tmp_path, made(), precision="bfloat16")


def broken(**change: Any) -> Any:
    file = made()
    if "opset" in change:
        file.opset_import[0].version = change["opset"]
    if "kind" in change:
        file.graph.node[0].op_type = change["kind"]
    if "version" in change:
        file.ir_version = change["version"]
    return file.SerializeToString()


REFUSED: dict[str, tuple[Any, type[PredicdiffError], str]] = {
    "no file": (None, FormatError, r"net\.onnx: no such file"),
    "junk": (b"junk" * 50, FormatError, r"is no ONNX file, or damaged \("),
    "nothing": (b"", FormatError, "holds no layers: it is no ONNX file, or an empty one"),
    "a page of the web": (b"<!DOCTYPE html>", FormatError, "is no ONNX file"),
    "a new opset": (broken(opset=99), FormatError, r"onnxruntime .* can't run this net \(.*opset"),
    "a new version": (broken(version=99), FormatError, r"can't run this net \(.*IR version"),
    "an unknown layer": (broken(kind="Strange"), FormatError, r"can't run this net \(.*Strange"),
    "no images": (made(shape=("N", 3)).SerializeToString(), SettingsError, r"its inputs are 'x' \(\?, 3\): want one"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_such_net_is_one_sentence(what: str, tmp_path: Path) -> None:
    content, error, told = REFUSED[what]
    if content is not None:
        (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(error, match=told) as caught:
        load_net(tmp_path / "net.onnx")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [{"engine": "caffe"}, {"weights": "w.pth"}, {"also": (1,)}])
def test_what_a_file_cannot_be_told_is_refused(given: dict[str, Any], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("predicdiff.nets.zoo._check_engine", lambda *_: None)
    with pytest.raises(SettingsError, match=r"net\.onnx"):
        loaded(tmp_path, made(), **given)


def test_of_packages_that_are_not_there_it_is_said_what_to_install(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(door, "is_there", lambda: False)
    with pytest.raises(
        PredicdiffError, match=r'it is not wanted, and onnxruntime is not installed: pip install "predi'
    ):
        loaded(tmp_path, made())


def test_it_needs_no_torch(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(made().SerializeToString())
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np, predicdiff as pd\n"
        "net = pd.load_net(sys.argv[1])\n"
        "images = np.random.default_rng(0).uniform(0, 255, (4, 3, 6, 5)).astype(np.float32)\n"
        "result = pd.explain(net, images[0], pd.MarginalSampler(images[1:]), window=2, stride=2, samples=2)\n"
        "print(result.relevance.shape)"
    )
    ask: dict[str, Any] = {"cwd": ROOT, "capture_output": True, "text": True, "check": False}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "net.onnx")], **ask)
    assert done.stdout.strip() == "(1, 6, 5)", done.stderr
    assert "since torch is not installed" in done.stderr
