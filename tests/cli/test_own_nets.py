"""Nets of a user's own files on the command line: the same as from Python."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.onnx_models import model, node

from predicdiff.algorithm import explain
from predicdiff.errors import InputWarning, without
from predicdiff.explanation import Explanation
from predicdiff.images import load_image
from predicdiff.nets.preprocessing import Preprocessing
from predicdiff.nets.zoo import load_net
from predicdiff.samplers import MarginalSampler
from predicdiff.samplers.corpus import read_folder

FILE = """
from torch import nn

def make():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
"""
QUICK = ["--sampler", "marginal", "-k", 8, "--stride", 8, "-S", 2]
ABOUT = ["--raw-scale", 1, "--mean", "0.5,0.4,0.3", "--std", "0.2,0.3,0.4", "--device", "cpu"]
SHAPE = (3, 24, 24)


def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    shapes = {"0.weight": (4, 3, 3, 3), "0.bias": (4,), "4.weight": (5, 4), "4.bias": (5,)}
    return {name: torch.randn(shape) for name, shape in shapes.items()}


def module_file(folder: Path) -> list[str]:
    (folder / "net.py").write_text(FILE)
    torch.save({"model": weights()}, folder / "w.pth")
    return ["net.py:make", "--weights", "w.pth", "--input-shape", "3,24,24"]


def onnx_file(folder: Path) -> list[str]:
    pytest.importorskip("onnxruntime")
    nodes = [
        node("Conv", "x 0.weight 0.bias", "c"), node("Relu", "c", "r"), node("GlobalAveragePool", "r", "p"),
        node("Flatten", "p", "f"), node("Gemm", "f 4.weight 4.bias", "y", transB=1),
    ]  # fmt: skip
    arrays = {name: value.numpy() for name, value in weights().items()}
    made = model(nodes, arrays, shape=("N", *SHAPE), outputs={"y": ("N", 5)})
    (folder / "net.onnx").write_bytes(made.SerializeToString())
    return ["net.onnx"]


def program_file(folder: Path) -> list[str]:
    space: dict[str, torch.nn.Module] = {}
    exec(FILE, space)
    made = space["make"]().eval()
    made.load_state_dict(weights())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch warns its own code of
        shapes = ({0: torch.export.Dim("N")},)
        torch.export.save(torch.export.export(made, (torch.zeros(2, *SHAPE),), dynamic_shapes=shapes), folder / "n.pt2")
    return ["n.pt2"]


@pytest.mark.parametrize("write", [module_file, onnx_file, program_file])
def test_explained_as_from_python_and_known_again(write, cli, picture, folder, tmp_path):
    options = ["--net", *write(tmp_path), *ABOUT]
    result = cli("explain", picture, *options, *QUICK, "--corpus", folder, "--unit", 3, "-o", "a.h5")
    assert result.exit_code == 0, result.output
    mean, std = [0.5, 0.4, 0.3], np.array([0.2, 0.3, 0.4])
    about = Preprocessing(raw_scale=1.0, mean=mean, scale=1 / std)
    how = {"weights": "w.pth", "input_shape": SHAPE} if write is module_file else {}
    with without(InputWarning):
        net = load_net(tmp_path / options[1], preprocessing=about, device="cpu", **how)
    images, names, _ = read_folder(folder, net.view)
    wanted = explain(
        net, load_image(picture), MarginalSampler(images, names=names), window=8, stride=8, samples=2, units=[3]
    )
    found = Explanation.load(tmp_path / "a.h5")
    np.testing.assert_array_equal(found.relevance, wanted.relevance)
    assert found.provenance["net"] == wanted.provenance["net"]
    again = cli("explain", picture, *options, *QUICK, "--corpus", folder, "--unit", 3, "-o", "a.h5")
    assert again.exit_code == 0, again.output
    assert "held this already" in again.output


def test_classes_blobs_and_samplers_of_a_file(cli, picture, tmp_path):
    options = ["--net", *module_file(tmp_path), *ABOUT]
    result = cli("predict", picture, *options, "--top", 1)
    assert "which net:make sees as 24 x 24" in result.output
    assert "0 " in cli("blobs", *options).output
    assert cli("fit", *options, "--sampler", "marginal", "-o", "s.h5").exit_code == 0
    assert cli("sensitivity", picture, *options, "-o", "s.png").exit_code == 0


def test_without_preprocessing_it_is_said_that_pixels_go_in(cli, picture, tmp_path):
    result = cli("predict", picture, "--net", *module_file(tmp_path), "--device", "cpu")
    assert "net.py:make does not say how images become its inputs, so these are pixels of 0 to 255" in result.output


def test_deviations_and_a_scale_are_one_too_many(refused, picture, tmp_path):
    options = ["--net", *module_file(tmp_path), *ABOUT, "--input-scale", 2]
    assert "--input-scale and --std both say" in refused("predict", picture, *options)
