"""Caffe's explanations against torch's: the same commands in two interpreters, held together through their files.

``PREDICDIFF_CAFFE_PYTHON`` is the command of a Python with pycaffe; `make test-caffe` gives it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Callable, Sequence

import numpy as np
import pytest
import skimage.data
from helpers.places import ROOT
from helpers.prototxt import prototxt
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from predicdiff.explanation import Explanation
from predicdiff.nets.caffe.records import NetSpec
from predicdiff.samplers import GaussianSampler

OTHER = os.environ.get("PREDICDIFF_CAFFE_PYTHON")
pytestmark = pytest.mark.skipif(OTHER is None, reason="PREDICDIFF_CAFFE_PYTHON names no Python with pycaffe")

Both = Callable[..., "tuple[Explanation, Explanation]"]


def run(python: Sequence[str], *arguments: object) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [*python, "-m", "predicdiff", *map(str, arguments)]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert done.returncode == 0, done.stdout.decode()


@pytest.fixture
def both(tmp_path: Path) -> Both:
    """Explain with Caffe there and with torch here; the two results."""
    pytest.importorskip("torch")

    def explained(*arguments: object) -> tuple[Explanation, Explanation]:
        for engine, python in (("caffe", shlex.split(str(OTHER))), ("torch", [sys.executable])):
            run(python, "explain", *arguments, "--engine", engine, "-o", tmp_path / f"{engine}.h5", "-q")
        return Explanation.load(tmp_path / "caffe.h5"), Explanation.load(tmp_path / "torch.h5")

    return explained


def agree(caffe: Explanation, torch: Explanation) -> None:
    """The same net, image and draws, whatever computed; relevance within a thousandth of the largest."""
    nets = [explanation.provenance["net"] for explanation in (caffe, torch)]
    assert [net["engine"] for net in nets] == ["caffe", "torch"]
    for key in ("definition", "weights", "preprocessing"):
        assert nets[0][key] == nets[1][key], key
    assert caffe.settings == torch.settings
    samplers = [dict(explanation.provenance["sampler"]) for explanation in (caffe, torch)]
    if torch.settings["start"] is not None:  # activations, which each engine has computed for itself
        samplers = [{**told, "fingerprint": None} for told in samplers]
    assert samplers[0] == samplers[1]
    np.testing.assert_allclose(caffe.pixels, torch.pixels, atol=1e-3)
    largest = max(1.0, float(np.abs(torch.relevance).max()))
    np.testing.assert_allclose(caffe.relevance, torch.relevance, rtol=0, atol=1e-3 * largest)
    np.testing.assert_allclose(caffe.stderr, torch.stderr, rtol=0, atol=1e-3 * largest)
    np.testing.assert_allclose(caffe.base, torch.base, rtol=1e-4)


@pytest.fixture
def tiny(data: Path, tmp_path: Path) -> list[object]:
    """The tiny net, a small image, and a folder of others."""
    with np.load(data / "tiny_caffe.npz") as recorded:
        images = np.clip(recorded["images"].transpose(0, 2, 3, 1) / 2 + 128, 0, 255).astype(np.uint8)
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:02}.png")
    GaussianSampler.fit(list(images), 8, patches=3000).save(tmp_path / "fitted.h5")
    net = ["--net", data / "tiny_v1.prototxt", "--weights", data / "tiny_v1.caffemodel", "--image-size", 24]
    return [folder / "00.png", *net, "--mean", "104,117,123", "-k", 4, "--stride", 1]


@pytest.mark.parametrize(
    "ask",
    [
        ["--sampler", "marginal"],
        ["--sampler", "fitted.h5"],
        ["--sampler", "fitted.h5", "--blob", "fc", "--unit", "2", "--against", "0"],
        ["--sampler", "fitted.h5", "--blob", "conv2b", "--map", "3"],
        ["--sampler", "marginal", "--start", "pool1", "-k", "2"],
        ["--method", "occlusion"],
    ],
    ids=["marginal", "conditional", "against", "a map", "a hidden start", "occlusion"],
)
def test_the_tiny_net(ask: list[str], tiny: list[object], both: Both, tmp_path: Path) -> None:
    ask = [str(tmp_path / word) if word == "fitted.h5" else word for word in ask]
    corpus = ["--corpus", tmp_path / "corpus"] if "marginal" in ask else []
    draws = [] if "occlusion" in ask else ["-S", 6]
    caffe, torch = both(*tiny, *draws, *corpus, *ask)
    agree(caffe, torch)
    assert np.abs(torch.relevance).max() > 0.01


@pytest.mark.parametrize("kind", ["logits", "sigmoid"])
def test_a_net_that_ends_in_scores(kind: str, tiny: list[object], both: Both, data: Path, tmp_path: Path) -> None:
    """In Caffe's V1 format, in which a layer is put behind it too."""
    whole = (data / "tiny_v1.prototxt").read_text()
    start = whole.rindex("layers {")
    assert "SOFTMAX" in whole[start:]
    (tmp_path / "scores.prototxt").write_text(whole[:start])
    ask = [tmp_path / "scores.prototxt" if word == data / "tiny_v1.prototxt" else word for word in tiny]
    fitted = ["--sampler", tmp_path / "fitted.h5", "-S", 6]
    caffe, torch = both(*ask, *fitted, "--output-is", kind)
    agree(caffe, torch)
    assert (torch.targets[0].blob, torch.settings["classes"]) == ("prob", 2 if kind == "sigmoid" else 5)
    assert np.abs(torch.relevance).max() > 0.01


def test_squeezenet_with_its_real_weights(both: Both, shared: Path, models: Path, tmp_path: Path) -> None:
    photograph = skimage.data.chelsea()[20:280, 90:350]
    Image.fromarray(photograph).save(tmp_path / "cat.png")
    others = [skimage.data.coffee(), skimage.data.astronaut(), skimage.data.rocket()]
    GaussianSampler.fit(others, 14, patches=4000).save(tmp_path / "fitted.h5")
    caffe, torch = both(
        tmp_path / "cat.png", "--net", models / "squeezenet.prototxt", "--weights",
        shared / "nets" / "squeezenet_v1.0.caffemodel", "--mean", "104,117,123", "--view", "crop",
        "--sampler", tmp_path / "fitted.h5", "-k", 10, "--stride", 10, "-S", 2,
    )  # fmt: skip
    agree(caffe, torch)
    assert list(torch.targets[0].unit) == [281]


#: Run by Caffe's Python: what each net of a folder gives for its inputs, and a gradient.
THERE = """
import sys
from pathlib import Path
import numpy as np
from predicdiff.nets.caffe.pycaffe import CaffeNet

for path in sorted(Path(sys.argv[1]).glob("*.prototxt")):
    weights = {}
    with np.load(path.with_suffix(".npz")) as held:
        inputs = held["inputs"]
        for key in sorted(held.files):
            layer, slash, _ = key.rpartition("/")
            if slash:
                weights.setdefault(layer, []).append(held[key])
    net = CaffeNet(path, weights, device="cpu")
    blob, shape = list(net.blobs.items())[-1]
    gradient = net.gradient(inputs[0], blob=blob, unit=(0,) * len(shape))
    np.savez(path.with_suffix(".caffe.npz"), gradient=gradient, **net.forward(inputs, list(net.blobs)))
"""


def test_random_nets_of_all_layer_types(tmp_path: Path) -> None:
    """Every blob, and the gradient of the last one's first unit."""
    pytest.importorskip("torch")
    from helpers.random_caffe import specs, weights

    from predicdiff.nets.caffe.torch_net import CaffeTorchNet

    nets = []

    @settings(max_examples=80, derandomize=True, database=None, phases=[Phase.generate], deadline=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(spec=specs(), seed=st.integers(0, 99))
    def collect(spec: NetSpec, seed: int) -> None:
        if len(spec.layers) < 4 or any(set(layer.bottoms) & set(layer.tops) for layer in spec.layers):
            return  # what works in place on a blob that another layer reads too, Caffe can't run
        generator, number = np.random.default_rng(seed), len(nets)
        arrays = weights(spec, generator)
        torch_net = CaffeTorchNet(spec, arrays, device="cpu")
        inputs = generator.standard_normal((2, *torch_net.input_shape)).astype(np.float32)
        held = {f"{layer}/{i}": array for layer, of_layer in arrays.items() for i, array in enumerate(of_layer)}
        np.savez(tmp_path / f"{number:02}.npz", inputs=inputs, **held)
        (tmp_path / f"{number:02}.prototxt").write_text(prototxt(spec))
        nets.append((torch_net, inputs))

    collect()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*shlex.split(str(OTHER)), "-c", THERE, str(tmp_path)], env=environment, cwd=ROOT, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout.decode()
    assert len(nets) > 15
    for number, (torch_net, inputs) in enumerate(nets):
        with np.load(tmp_path / f"{number:02}.caffe.npz") as wanted:
            for blob, values in torch_net.forward(inputs, list(torch_net.blobs)).items():
                near = 1e-5 * max(1.0, np.abs(wanted[blob]).max())
                np.testing.assert_allclose(values, wanted[blob], rtol=1e-4, atol=near, err_msg=blob)
            gradient = torch_net.gradient(inputs[0], blob=blob, unit=(0,) * len(torch_net.blobs[blob]))
            assert np.linalg.norm(gradient - wanted["gradient"]) <= 1e-3 * max(1.0, np.linalg.norm(gradient))
