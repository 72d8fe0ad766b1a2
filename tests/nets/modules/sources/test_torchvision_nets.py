"""torchvision's nets by name: pictures are held against their weights' transforms, answers against the modules."""

from __future__ import annotations

import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from predicdiff.errors import DependencyError, DownloadError, SettingsError
from predicdiff.extras import imported
from predicdiff.nets.modules.sources.torchvision_nets import _read
from predicdiff.nets.zoo import load_net

try:  # one that does not go with the torch that is here cannot be imported
    models = imported("torchvision.models", "torchvision")
except DependencyError as error:
    pytest.skip(str(error), allow_module_level=True)

NET = "torchvision:squeezenet1_1"
#: Lying and upright, of odd sides.
PHOTOGRAPHS = (data.chelsea(), data.coffee()[:, :333], data.astronaut()[:301])


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Random weights of a small net."""
    torch.manual_seed(0)
    torch.save(models.squeezenet1_1().state_dict(), tmp_path / "small.pth")
    return tmp_path / "small.pth"


def test_photographs_become_what_the_transforms_of_weights_make_of_them() -> None:
    # of a pixel p both reckon (p / 255 - mean) / deviation in float32, in another order: a rounding each of the
    # quotient (at most 1), the mean and the difference, and of the deviation's inverse and the product relatively
    unit = 2.0**-24
    kinds = {}
    for name in models.list_models(module=models):
        for weights in models.get_model_weights(name):
            transforms = weights.transforms()
            kinds[repr(transforms)] = weights
    assert len(kinds) > 20
    for number, weights in enumerate(kinds.values()):
        transforms, photograph = weights.transforms(), PHOTOGRAPHS[number % len(PHOTOGRAPHS)]
        preprocessing, size = _read(weights, "some")
        shape = (3, *size)
        wanted = transforms(Image.fromarray(photograph)).numpy()
        came = preprocessing.encode(preprocessing.pixels(photograph, shape), shape)
        atol = 4 * unit / min(transforms.std)
        np.testing.assert_allclose(came, wanted, rtol=4 * unit, atol=atol, err_msg=str(weights))


def test_a_name_and_a_file_of_weights_are_a_net(weights: Path) -> None:
    net = load_net(f"{NET}@IMAGENET1K_V1", weights=weights, input_shape=(3, 64, 64))
    module = models.squeezenet1_1().eval()
    module.load_state_dict(torch.load(weights, weights_only=True))
    inputs = net.preprocess(PHOTOGRAPHS[0])
    with torch.inference_mode():
        wanted = module(torch.from_numpy(inputs)[None]).double().softmax(1).numpy()
    np.testing.assert_allclose(net.forward(inputs[None], ["prob"])["prob"], wanted, rtol=1e-4)
    assert (net.labels[281], net.provenance["library"][:12]) == ("tabby", "torchvision ")


def test_weights_for_other_classes_bring_no_names_of_imagenets(tmp_path: Path) -> None:
    torch.save(models.squeezenet1_0(num_classes=7).state_dict(), tmp_path / "seven.pth")
    net = load_net("torchvision:squeezenet1_0", weights=tmp_path / "seven.pth", input_shape=(3, 64, 64))
    assert (net.labels, net.blobs["prob"]) == (None, (7,))


def test_names_that_there_are_not_and_nets_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"^torchvision has no net 'resnet51'\. Do you mean "):
        load_net("torchvision:resnet51")
    with pytest.raises(
        SettingsError, match=r"'resnet50' has no weights 'V3': want one of IMAGENET1K_V1, IMAGENET1K_V2\."
    ):
        load_net("torchvision:resnet50@V3")
    with pytest.raises(SettingsError, match=r"neither classifies images nor their places \(OpticalFlow\)"):
        load_net("torchvision:raft_small")


def test_without_a_network_nothing_else_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def fails(*args: Any, **how: Any) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr("torch.hub.urlopen", fails)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(DownloadError, match=f"^{NET} is not on this machine, .* --weights FILE"):
        load_net(NET)
    assert capfd.readouterr() == ("", "")
