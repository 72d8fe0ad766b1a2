"""timm's nets by name: what a photograph becomes is held against timm's own transform, answers against its module."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from predicdiff.cli.options.net import NetChoice
from predicdiff.errors import DownloadError, SettingsError, WeightsError
from predicdiff.nets.doors import NetSettings
from predicdiff.nets.modules.sources import timm_nets
from predicdiff.nets.zoo import load_net

timm = pytest.importorskip("timm")

#: Lying and upright, of odd sides, and too small.
PHOTOGRAPHS = (data.chelsea(), data.coffee()[:, :333], data.astronaut()[:301], data.astronaut()[:90, :121])


def configurations() -> list[dict[str, Any]]:
    """All that timm says of the images of its pretrained classifiers, each kind once, at the smallest size."""
    said = [timm.get_pretrained_cfg(name) for name in timm.list_pretrained()]
    configs = [timm.data.resolve_data_config(pretrained_cfg=one.to_dict()) for one in said if one.num_classes]
    configs.sort(key=lambda config: -config["input_size"][1])
    kinds = ("interpolation", "crop_mode", "crop_pct", "mean", "std")
    return list({repr([config[kind] for kind in kinds]): config for config in configs}.values())


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Random weights of a tiny ResNet."""
    torch.manual_seed(0)
    path = tmp_path / "test_resnet.pth"
    torch.save(timm.create_model("test_resnet", pretrained=False).state_dict(), path)
    return path


def test_every_configuration_gives_what_timms_own_transform_gives() -> None:
    # of a pixel p both reckon (p / 255 - mean) / deviation in float32, in another order: a rounding each of the
    # quotient (at most 1), the mean and the difference, and of the deviation's inverse and the product relatively
    unit = 2.0**-24
    square = configurations()
    oblong = [{**square[0], "input_size": (3, *sides), "crop_mode": "center"} for sides in ((128, 256), (96, 64))]
    for number, config in enumerate([*square, *oblong, *oblong[::-1]]):
        if config["crop_pct"] > 1:
            continue
        shape, least = config["input_size"], min(config["std"])
        preprocessing = timm_nets._preprocessing("some", config, shape)
        transform = timm.data.create_transform(**config, is_training=False)
        photograph = PHOTOGRAPHS[number % len(PHOTOGRAPHS)]
        wanted = transform(Image.fromarray(photograph)).numpy()
        came = preprocessing.encode(preprocessing.pixels(photograph, shape), shape)
        np.testing.assert_allclose(came, wanted, rtol=4 * unit, atol=4 * unit / least, err_msg=str(config))


def test_a_name_and_a_file_of_weights_are_a_net(weights: Path) -> None:
    net = load_net("timm:test_resnet.r160_in1k", weights=weights)
    module = timm.create_model("test_resnet", pretrained=False).eval()
    module.load_state_dict(torch.load(weights, weights_only=True))
    config = timm.get_pretrained_cfg("test_resnet.r160_in1k")
    assert (net.name, net.input_shape) == ("timm:test_resnet.r160_in1k", config.input_size)
    assert net.provenance["library"] == f"timm {timm.__version__}"
    inputs = net.preprocess(PHOTOGRAPHS[0])
    with torch.inference_mode():
        wanted = module(torch.from_numpy(inputs)[None]).double().softmax(1).numpy()
    np.testing.assert_allclose(net.forward(inputs[None], ["prob"])["prob"], wanted, rtol=1e-4)
    assert net.labels[281] == "tabby, tabby cat"
    assert pickle.loads(pickle.dumps(net)).provenance == net.provenance


def test_options_are_put_on_the_nets_own_preprocessing(weights: Path) -> None:
    choice = NetChoice(
        net="timm:test_resnet", weights=weights, mean="0.1,0.2,0.3", view="warp", input_shape=(3, 48, 40)
    )
    came = choice.load().preprocessing
    own = timm.get_pretrained_cfg("test_resnet")
    assert (came.view.mode, came.view.resampling, came.raw_scale) == ("warp", own.interpolation, 1.0)
    np.testing.assert_allclose(came.mean, [0.1, 0.2, 0.3], rtol=1e-6)
    np.testing.assert_allclose(came.scale, 1 / np.array(own.std))


def test_weights_for_other_classes_bring_no_names_of_imagenets(tmp_path: Path) -> None:
    torch.save(timm.create_model("test_resnet", num_classes=7).state_dict(), tmp_path / "seven.pth")
    net = load_net("timm:test_resnet", weights=tmp_path / "seven.pth", input_shape=(3, 64, 96))
    assert (net.labels, net.blobs["prob"], net.input_shape) == (None, (7,), (3, 64, 96))


def test_names_that_there_are_not_and_nets_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"has no net 'resnet58'\. Do you mean 'timm:resnet50'"):
        load_net("timm:resnet58")
    with pytest.raises(SettingsError, match=r"has no 'a9_in1k' of 'resnet50'. Do you mean 'timm:resnet50\."):
        load_net("timm:resnet50.a9_in1k")
    for odd in ({"crop_mode": "border"}, {"crop_pct": 1.15}):
        with pytest.raises(SettingsError, match=r"^some wants images with a border, which is not known here"):
            timm_nets._preprocessing("some", {**configurations()[0], **odd}, (3, 224, 224))
    with pytest.raises(SettingsError, match="which Caffe can't run"):
        timm_nets.load("timm:resnet50", NetSettings(engine="caffe"))


def test_a_folder_of_timms_own_is_a_net(tmp_path: Path) -> None:
    module = timm.create_model("test_resnet", num_classes=3)
    timm.models.save_for_hf(module, tmp_path, model_config={"label_names": ["cat", "dog", "cow"]})
    assert load_net(f"timm:local-dir:{tmp_path}", input_shape=(3, 32, 64)).labels == ["cat", "dog", "cow"]


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        ("GatedRepoError", WeightsError, "is gated: ask for access"),
        ("RepositoryNotFoundError", WeightsError, "is not known to huggingface.co"),
        ("LocalEntryNotFoundError", DownloadError, "is not on this machine, and where .* nobody answers"),
        ("OddError", WeightsError, r"cannot be made \(OddError: why\)"),
    ],
)
def test_downloads_that_fail_end_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, error: str, kind: type[Exception], told: str
) -> None:
    def fails(*args: Any, **how: Any) -> None:
        raise type(error, (OSError,), {})("why\nand more")

    monkeypatch.setattr(timm, "create_model", fails)
    monkeypatch.setattr("predicdiff.nets.modules.sources.libraries._answers", lambda *of_hub: True)
    with pytest.raises(kind, match=f"^timm:test_resnet {told}"):
        load_net("timm:test_resnet")
