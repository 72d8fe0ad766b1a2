"""The doors of `load_net`, and what is said at each when something does not fit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.engines import ENGINES, needed
from helpers.oracle_nets import NumpyNet
from helpers.places import MODELS
from helpers.tiny_zoo import DATA, WEIGHTS, TinyZoo
from skimage import data

from predicdiff.algorithm import explain
from predicdiff.errors import BlobError, DependencyError, FormatError, InputWarning, SettingsError, WeightsError
from predicdiff.images import View
from predicdiff.nets import zoo as nets
from predicdiff.nets.caffe.caffemodel import read_mean
from predicdiff.nets.caffe.transformer import caffe_preprocessing
from predicdiff.nets.doors import Door, NetSettings
from predicdiff.nets.fetching.weights import weights_path
from predicdiff.nets.labels import load_labels
from predicdiff.nets.preprocessing import Preprocessing
from predicdiff.samplers.grey import GreyPatch

pytestmark = needed

PROTOTXT, CAFFEMODEL = DATA / "tiny_v1.prototxt", DATA / "tiny_v1.caffemodel"
LABELS = ["cat", "dog", "cow", "hen", "pig"]


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TinyZoo]:
    with TinyZoo(tmp_path, monkeypatch) as tiny:
        yield tiny


@pytest.fixture(scope="module")
def golden() -> Any:
    """What Caffe made of the tiny net."""
    with np.load(DATA / "tiny_caffe.npz") as file:
        return dict(file)


def load_net(source: Any, **settings: Any) -> Any:
    """By the engine that is installed, torch if both are."""
    return nets.load_net(source, **{"engine": ENGINES[0], **settings})


def module() -> Any:
    torch = pytest.importorskip("torch")
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 5, 2))


PUBLIC = [
    "Entry", "Fetched", "Status", "cache_dir", "caffe_preprocessing", "entry", "fetch_net", "known_preprocessing",
    "load_labels", "load_net", "manifest", "mean_path", "models_dir", "names", "status", "weights_path",
]  # fmt: skip


def test_the_names_of_the_last_release_are_imported_from_the_zoo() -> None:
    assert sorted(nets.__all__) == PUBLIC
    for name in PUBLIC:
        assert callable(getattr(nets, name)), name


def test_a_caffe_users_own_files(golden: Any) -> None:
    net = load_net(str(PROTOTXT), weights=CAFFEMODEL, labels=LABELS, training_instances=5)
    np.testing.assert_allclose(net.forward(golden["images"][:2], ["prob"])["prob"], golden["blob:prob"], atol=1e-5)
    assert (net.labels, net.training_instances, net.scores, net.output) == (LABELS, 5, "fc", "prob")


def test_a_net_is_warned_of_once_whatever_is_done_with_it() -> None:
    with pytest.warns(InputWarning, match="the mean is 0.5 to 0.5, but pixels go to 255") as warned:
        net = load_net(str(PROTOTXT), weights=CAFFEMODEL, preprocessing=Preprocessing(mean=(0.5, 0.5, 0.5)))
    assert len(warned) == 1
    pixels = np.zeros(net.input_shape, np.float32)
    explain(net, pixels, GreyPatch(9.0), window=8, samples=1, stride=8, units=[0])  # a further warning is an error here
    net.with_weights({})


def test_a_net_of_the_manifest(zoo: TinyZoo) -> None:
    zoo.place("tiny.caffemodel", WEIGHTS)
    mean = zoo.place("tiny_mean.binaryproto", (DATA / "tiny_mean.binaryproto").read_bytes())
    net = load_net("tiny")
    assert (net.name, net.labels, net.training_instances) == ("tiny", LABELS, 77)
    pixels = np.zeros((3, 24, 24), np.float32)
    np.testing.assert_allclose(net.encode(pixels), -read_mean(mean))
    assert load_net("tiny", labels=list("abcde"), training_instances=3).training_instances == 3


def test_missing_weights_name_the_command(zoo: TinyZoo) -> None:
    with pytest.raises(WeightsError, match="Run `predicdiff fetch tiny`"):
        load_net("tiny")
    zoo.place("tiny.caffemodel", WEIGHTS)
    with pytest.raises(WeightsError, match=r"tiny_mean.npy is not there. Run `predicdiff fetch tiny`"):
        load_net("tiny")


def test_a_file_of_ones_own_for_a_net_of_the_manifest(zoo: TinyZoo) -> None:
    pixels_are_inputs = Preprocessing()
    net = load_net("tiny", weights=DATA / "tiny_v2.caffemodel", preprocessing=pixels_are_inputs)
    ours = load_net(PROTOTXT, weights=CAFFEMODEL)
    assert net.provenance["weights"] == ours.provenance["weights"]
    assert net.labels == LABELS


def test_a_changed_file_is_refused(zoo: TinyZoo) -> None:
    zoo.place("tiny.caffemodel", WEIGHTS[::-1])
    with pytest.raises(WeightsError, match=r"tiny.caffemodel: SHA-1 is .* want .*run `predicdiff fetch tiny`"):
        load_net("tiny")


def test_any_module() -> None:
    net = load_net(module(), input_shape=[3, 4, 5], output="sigmoid", labels=["a", "b"], preprocessing=Preprocessing())
    assert net.input_shape == (3, 4, 5)
    assert net.output == "prob"
    with pytest.raises(BlobError, match="conv1"):
        net.forward(np.zeros((1, 3, 4, 5)), ["conv1"])


def test_what_a_module_returns_is_said_by_output_is_or_output() -> None:
    ask = {"input_shape": (3, 4, 5), "preprocessing": None}
    for said in ({"output_is": "sigmoid"}, {"output": "sigmoid"}, {"output_is": "sigmoid", "output": "sigmoid"}):
        assert load_net(module(), **ask, **said).outcomes == 2
    with pytest.raises(SettingsError, match="output='logits' and output_is='sigmoid' both say"):
        load_net(module(), **ask, output="logits", output_is="sigmoid")
    with pytest.raises(SettingsError, match="output 'prob' is unknown: want one of logits, sigmoid"):
        load_net(module(), **ask, output="prob")


def test_labels_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    assert load_net(module(), input_shape=(3, 4, 5), labels=tmp_path / "labels.txt").labels == ["one", "two"]
    with pytest.raises(SettingsError, match="2 classes, but 5 labels"):
        load_net(module(), input_shape=(3, 4, 5), labels=LABELS)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("googlenett", {}, "no net is called 'googlenett'. Do you mean 'googlenet'"),
        (7, {}, "or a torch.nn.Module, not a int"),
        ("googlenet", {"input_shape": (3, 4, 4)}, "said of what does not say so itself; googlenet knows its own"),
        ("googlenet", {"output": "prob"}, "googlenet knows its own"),
        ("googlenet", {"output_is": "sigmoid"}, "googlenet knows its own"),
        (PROTOTXT, {"input_shape": (3, 0, 4)}, r"input_shape is \(3, 0, 4\): want .*, each at least 1"),
        ("googlenet", {"engine": "caffe", "precision": "bfloat16"}, "precision bfloat16 is torch's"),
        ("googlenet", {"engine": "theano"}, "engine 'theano' is unknown: want one of torch, caffe"),
        (PROTOTXT, {"weights": CAFFEMODEL, "labels": ["one"]}, "5 classes, but 1 labels"),
    ],
)
def test_settings_that_do_not_fit(source: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_net(source, **options)


def test_a_module_says_its_input_and_brings_its_weights() -> None:
    with pytest.raises(SettingsError, match="give input_shape"):
        load_net(module())
    with pytest.raises(SettingsError, match="brings its weights along"):
        load_net(module(), input_shape=(3, 4, 5), weights="w.pth")


@pytest.mark.parametrize("source", ["deploy.prototxt", "nets/deploy", Path("deploy")])
def test_a_path_without_a_file_is_no_unknown_name(source: Any) -> None:
    with pytest.raises(FormatError, match=r"deploy.*no such file"):
        load_net(source, weights=CAFFEMODEL)


def test_a_prototxt_needs_weights() -> None:
    with pytest.raises(WeightsError, match="holds the layers but no weights: give the caffemodel too"):
        load_net(PROTOTXT)
    with pytest.raises(FormatError, match=r"tiny_v1.caffemodel: want a prototxt"):
        load_net(CAFFEMODEL)


def test_files_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"absent.caffemodel"):
        load_net(PROTOTXT, weights=tmp_path / "absent.caffemodel")
    with pytest.raises(FormatError, match=r"absent.txt: the labels cannot be read"):
        load_net(PROTOTXT, weights=CAFFEMODEL, labels=tmp_path / "absent.txt")


def test_torch_missing_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # what an import of a package that is not there amounts to
    with pytest.raises(DependencyError, match=r'pip install "predicdiff\[torch\]"'):
        load_net("googlenet", engine="torch")


@pytest.mark.parametrize("side", [24, 30])
def test_a_mean_image_is_as_large_as_the_crop_or_the_resized_image(side: int) -> None:
    preprocessing = caffe_preprocessing(mean=np.ones((3, side, side)), image_size=30)
    net = load_net(PROTOTXT, weights=CAFFEMODEL, preprocessing=preprocessing)
    np.testing.assert_array_equal(net.encode(np.zeros((3, 24, 24))), -np.ones((3, 24, 24)))


def test_a_mean_image_of_the_nets_own_size_needs_no_image_size() -> None:
    preprocessing = caffe_preprocessing(mean=np.ones((3, 24, 24)))
    net = load_net(PROTOTXT, weights=CAFFEMODEL, preprocessing=preprocessing)
    np.testing.assert_array_equal(net.preprocess(np.zeros((24, 24, 3), np.uint8)), -np.ones((3, 24, 24)))


def test_a_mean_image_of_another_size_is_refused() -> None:
    preprocessing = caffe_preprocessing(mean=np.ones((3, 28, 28)), image_size=30)
    with pytest.raises(SettingsError, match=r"mean image is 28 x 28, .* resized to 30 x 30 and cropped to 24 x 24"):
        load_net(PROTOTXT, weights=CAFFEMODEL, preprocessing=preprocessing)
    with pytest.raises(SettingsError, match="mean image is 6 x 6, but images are resized to 4 x 5"):
        load_net(module(), input_shape=(3, 4, 5), preprocessing=Preprocessing(View("warp"), mean=np.ones((3, 6, 6))))


def test_efficientnet_runs_out_of_the_box() -> None:
    pytest.importorskip("torch")
    try:
        weights_path("efficientnet_lite0")
    except WeightsError as error:
        pytest.skip(str(error))
    net = load_net("efficientnet_lite0")
    inputs = np.stack([net.encode(net.view(image)) for image in (data.chelsea(), data.coffee())])
    prob = net.forward(inputs, ["prob"])["prob"]
    names = [net.labels[row.argmax()] for row in prob] if net.labels else []
    assert names[0] in ("tabby", "tiger cat", "Egyptian cat")
    assert names[1] == "espresso"
    assert {"stem", "blocks.3.expand", "blocks.15", "head", "pool", "classifier", net.scores} <= set(net.blobs)
    assert len(load_labels(MODELS / "ilsvrc12_labels.tsv")) == len(net.labels or ())


def test_preprocessing_of_another_kind_is_refused() -> None:
    with pytest.raises(SettingsError, match="preprocessing is a str: want a Preprocessing"):
        load_net("tiny", preprocessing="imagenet")  # type: ignore[arg-type]


def test_a_door_of_ones_own_loads_its_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(source: str, settings: NetSettings) -> Any:
        settings.refuse_shape(source)
        net = NumpyNet((1, int(source[4:]), 4))
        net.labels = settings.labels
        return net

    door = Door(lambda source: isinstance(source, str) and source.startswith("toy:"), load)
    monkeypatch.setattr(nets, "DOORS", (*nets.DOORS, door))
    net = load_net("toy:3", labels=["one", "two"])
    assert (net.input_shape, net.labels) == ((1, 3, 4), ["one", "two"])
    with pytest.raises(SettingsError, match="toy:3 knows its own"):
        load_net("toy:3", output="sigmoid")
    with pytest.raises(SettingsError, match="no net is called 'toys'"):
        load_net("toys")
