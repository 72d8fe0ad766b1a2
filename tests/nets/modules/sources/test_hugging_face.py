"""Classifiers of transformers: pictures are held against their image processors, answers against their modules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from predicdiff.errors import FormatError, SettingsError, WeightsError
from predicdiff.nets.modules.sources.image_processors import hold, read
from predicdiff.nets.zoo import load_net

transformers = pytest.importorskip("transformers")

PHOTOGRAPH = data.coffee()[:, :333]
#: Image processors with settings that checkpoints have: each kind that says by itself what it does.
PROCESSORS = [
    ("ViTImageProcessor", {"size": {"height": 64, "width": 48}}),
    ("ViTImageProcessor", {"size": {"height": 64, "width": 64}, "resample": 3, "image_mean": [0.1, 0.2, 0.3]}),
    ("ConvNextImageProcessor", {"size": {"shortest_edge": 60}}),
    ("ConvNextImageProcessor", {"size": {"shortest_edge": 384}, "resample": 2}),
    ("CLIPImageProcessor", {"size": {"shortest_edge": 75}, "crop_size": {"height": 64, "width": 64}}),
    ("DeiTImageProcessor", {"size": {"height": 73, "width": 73}, "crop_size": {"height": 64, "width": 64}}),
    ("BeitImageProcessor", {"size": {"height": 64, "width": 64}}),
    ("LevitImageProcessor", {"size": {"shortest_edge": 64}, "crop_size": {"height": 64, "width": 64}}),
    ("PoolFormerImageProcessor", {"size": {"shortest_edge": 64}, "crop_size": {"height": 64, "width": 64}}),
    ("MobileNetV2ImageProcessor", {"size": {"shortest_edge": 80}, "crop_size": {"height": 64, "width": 64}}),
    ("MobileViTImageProcessor", {"size": {"shortest_edge": 80}, "crop_size": {"height": 64, "width": 64}}),
    ("EfficientNetImageProcessor", {"size": {"height": 64, "width": 64}, "image_std": [0.4, 0.5, 0.6]}),
    ("EfficientNetImageProcessor", {"rescale_factor": 1 / 127.5, "rescale_offset": True, "include_top": False}),
    ("ViTImageProcessor", {"do_rescale": False, "image_mean": [123, 117, 104], "image_std": [1, 2, 3]}),
    ("ViTImageProcessor", {"do_normalize": False}),
]


def resnet(**how: Any) -> Any:
    """A small ResNet with random weights."""
    torch.manual_seed(0)
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=3, **how
    )
    return transformers.ResNetForImageClassification(config).eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What save_pretrained writes of a net with names for its classes, and of its image processor."""
    path = tmp_path / "small"
    resnet(id2label={0: "cat", 1: "dog", 2: "cow"}).save_pretrained(path)
    transformers.ConvNextImageProcessor(size={"shortest_edge": 40}).save_pretrained(path)
    return path


@pytest.mark.parametrize(("kind", "said"), PROCESSORS)
def test_photographs_become_what_image_processors_make_of_them(kind: str, said: dict[str, Any]) -> None:
    processor = getattr(transformers, kind)(**said)
    preprocessing, size = read(processor, "some")
    hold(preprocessing, processor, size, "some")
    wanted = np.asarray(processor(images=Image.fromarray(PHOTOGRAPH), return_tensors="np")["pixel_values"][0])
    shape = (3, *size)
    came = preprocessing.encode(preprocessing.pixels(PHOTOGRAPH, shape), shape)
    # torch resizes, and rounds rows and columns to another neighbour than Pillow here and there, which is a level of
    # 255 each; values that overshoot are more apart, since Pillow clips them in between
    levels = np.abs(came - wanted) / np.reshape(preprocessing.scale, (3, 1, 1)) * 255 / preprocessing.raw_scale
    assert levels.mean() < 1
    assert np.quantile(levels, 0.999) < 2.01


def test_what_a_processor_does_and_does_not_say_is_refused() -> None:
    own = transformers.PerceiverImageProcessor(size={"height": 64, "width": 64}, crop_size={"height": 96, "width": 96})
    with pytest.raises(SettingsError, match=r"some's image processor \(Perceiver.* does to pictures what is not known"):
        hold(read(own, "some").preprocessing, own, (64, 64), "some")
    with pytest.raises(SettingsError, match="says no size that all pictures get"):
        read(transformers.CLIPImageProcessor(do_center_crop=False), "some")


def test_a_folder_is_a_net(folder: Path) -> None:
    net = load_net(folder)
    assert (net.name, net.input_shape, net.labels) == ("small", (3, 40, 40), ["cat", "dog", "cow"])
    assert net.provenance["library"] == f"transformers {transformers.__version__}"
    inputs = net.preprocess(PHOTOGRAPH)
    with torch.inference_mode():
        wanted = resnet()(torch.from_numpy(inputs)[None]).logits.double().softmax(1).numpy()
    np.testing.assert_allclose(net.forward(inputs[None], ["prob"])["prob"], wanted, rtol=1e-4)


def test_a_file_of_weights_takes_the_place_of_a_folders_own(folder: Path, tmp_path: Path) -> None:
    state = {name: torch.zeros_like(value) for name, value in resnet().state_dict().items()}
    torch.save(state, tmp_path / "zeros.pth")
    net = load_net(str(folder), weights=tmp_path / "zeros.pth")
    assert set(net.forward(np.ones((1, 3, 40, 40)), ["logits"])["logits"].ravel()) == {0}


def test_kinds_of_problems_say_what_comes_out(tmp_path: Path) -> None:
    resnet(problem_type="multi_label_classification").save_pretrained(tmp_path)
    net = load_net(tmp_path, preprocessing=lambda own: own, input_shape=(3, 32, 32))
    came = net.forward(np.ones((1, 3, 32, 32)), ["logits", "prob"])
    np.testing.assert_allclose(came["prob"], 1 / (1 + np.exp(-came["logits"])), rtol=1e-5)
    assert (net.preprocessing, net.labels) == (None, None)


def test_folders_that_lack_something_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"is a folder without config\.json: want one that save_pretrained wrote"):
        load_net(tmp_path)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(SettingsError, match=r"^small has no image processor"):
        load_net(folder)
    headless = tmp_path / "headless"
    transformers.ResNetModel(resnet().config).save_pretrained(headless)
    with pytest.raises(
        WeightsError, match=r"^headless has no weights for classifier.*: it was not trained to classify"
    ):
        load_net(headless)


def test_no_code_of_a_folder_is_run(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config.update(model_type="own", auto_map={name: f"own.{name}" for name in ("AutoConfig", "AutoModel")})
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text("raise SystemExit('code of a folder was run')")
    with pytest.raises(WeightsError, match="small brings code of its own, which is not run"):
        load_net(folder)
