"""Modules that a user's file makes: what the net gives is what the module gives, built by hand in plain torch."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.spawned import elsewhere, values_of
from torch import nn

from predicdiff.errors import FormatError, SettingsError, WeightsError
from predicdiff.nets.zoo import load_net

SHAPE = (3, 8, 7)
FILE = """
import torch
from torch import nn
from parts import Head

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, width, 3), Head(width)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)))

def make():
    return Net()

def explained():
    import predicdiff as pd
    torch.manual_seed(3)
    about = pd.Preprocessing(mean=[0.5], raw_scale=1.0)
    return pd.load_net(Net(), input_shape=(3, 8, 7), preprocessing=about, labels=["a", "b"], device="cpu")

def broken():
    width = None
    return Net(width)

def wide(width):
    return Net(width)

answer, ready = 42, Net()
"""
PARTS = """
from torch import nn

class Head(nn.Linear):
    def __init__(self, width):
        super().__init__(width, 2)

    def forward(self, x):
        return super().forward(x.mean((2, 3)))"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path / "mine")


def written(folder: Path, *, parts: str = PARTS, file: str = FILE) -> Path:
    folder.mkdir()
    (folder / "net.py").write_text(file)
    (folder / "parts.py").write_text(parts)
    return folder


def by_hand(x: torch.Tensor, state: dict[str, torch.Tensor]) -> torch.Tensor:
    maps = torch.relu(nn.functional.conv2d(x, state["conv.weight"], state["conv.bias"]))
    return nn.functional.linear(maps.mean((2, 3)), state["head.weight"], state["head.bias"])


def learnt() -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    shapes = {"conv.weight": (4, 3, 3, 3), "conv.bias": (4,), "head.weight": (2, 4), "head.bias": (2,)}
    return {name: torch.randn(shape) for name, shape in shapes.items()}


def inputs() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)


def logits(net: Any) -> np.ndarray:
    return np.asarray(net.forward(inputs(), ["logits"])["logits"])


def test_the_module_of_a_function_with_weights_of_a_file(folder: Path) -> None:
    torch.save(learnt(), folder / "w.pth")
    paths, names = list(sys.path), set(sys.modules)
    net: Any = load_net(f"{folder}/net.py:make", weights=folder / "w.pth", input_shape=SHAPE, device="cpu")
    np.testing.assert_allclose(logits(net), by_hand(torch.from_numpy(inputs()), learnt()).numpy(), atol=1e-5)
    assert net.name == "net:make"
    assert net.evaluation("prob").startswith("incremental")
    assert sys.path == paths
    assert "net" not in set(sys.modules) - names


def test_a_class_a_module_and_a_function_of_a_package_serve_too(folder: Path) -> None:
    for source in (f"{folder}/net.py:Net", Path(f"{folder}/net.py:ready")):
        assert load_net(source, input_shape=SHAPE, device="cpu").blobs["logits"] == (2,)
    net = load_net("torch.nn:Flatten", input_shape=SHAPE)
    assert (net.name, net.blobs["logits"]) == ("torch.nn:Flatten", (168,))


def test_a_function_may_return_a_net_that_says_all_of_itself(folder: Path) -> None:
    net: Any = load_net(f"{folder}/net.py:explained")
    assert net.labels == ["a", "b"]
    encoded = net.encode(np.full(SHAPE, 255, np.float32))
    np.testing.assert_allclose(encoded, 0.5)
    with pytest.raises(SettingsError, match="so input_shape, labels can't be said besides"):
        load_net(f"{folder}/net.py:explained", input_shape=SHAPE, labels=["x", "y"])


def test_files_of_the_same_name_have_neighbours_of_their_own(folder: Path, tmp_path: Path) -> None:
    other = written(tmp_path / "other", parts=PARTS.replace("(width, 2)", "(width, 5)"))
    sizes = [load_net(f"{at}/net.py:make", input_shape=SHAPE).blobs["logits"] for at in (folder, other, folder)]
    assert sizes == [(2,), (5,), (2,)]


def test_another_file_is_another_net_though_parts_and_weights_are_the_same(folder: Path) -> None:
    torch.save(learnt(), folder / "w.pth")
    how: dict[str, Any] = {"weights": folder / "w.pth", "input_shape": SHAPE, "device": "cpu"}
    one = load_net(f"{folder}/net.py:make", **how).provenance
    assert load_net(f"{folder}/net.py:make", **how).provenance == one
    (folder / "net.py").write_text(FILE.replace("torch.relu", "torch.tanh"))
    other = load_net(f"{folder}/net.py:make", **how).provenance
    assert (other["weights"], other["definition"] == one["definition"]) == (one["weights"], False)


def test_another_process_reads_the_file(folder: Path, tmp_path: Path) -> None:
    net: Any = load_net(f"{folder}/net.py:make", input_shape=SHAPE, device="cpu")
    written(tmp_path / "other", parts="# other neighbours, of which nothing is wanted")
    ask: dict[str, Any] = {"blob": "prob", "units": [(0,)], "batch_size": 4}
    work = (net, inputs()[0], np.array([[0, 0], [3, 1]]), np.ones((2, 3, 3, 2, 2), np.float32), ask)
    np.testing.assert_array_equal(elsewhere(*work), values_of(*work))
    pickled = pickle.dumps(net)
    (folder / "net.py").write_text(FILE + "\n# more")
    with pytest.raises(FormatError, match=r"net\.py has changed since the net was pickled: load the net again"):
        pickle.loads(pickled)


REFUSED: dict[str, tuple[str, type[Exception], str]] = {
    "none.py:make": ("", FormatError, r"none\.py: no such file\. Want a Python file and a function in it"),
    "net.py:nothing": ("", SettingsError, "has no 'nothing': .* it has Net, make, explained, broken, wide"),
    "net.py": ("", SettingsError, "of which function is not said: want the name of a function .* it has Net, make"),
    "net.py:broken": ("", SettingsError, r"broken\(\), .* ends in an error: TypeError: .* \(net\.py, line 9\)\.$"),
    "net.py:wide": ("", SettingsError, r"wide\(\), which is called without arguments, ends .* missing 1 required"),
    "net.py:answer": ("", SettingsError, "gives a int: want a torch.nn.Module, or a net"),
    "net.py:make": ("", SettingsError, "does not say what it takes: give --input-shape"),
    "bad.py:make": ("x = 1\nmake = )", FormatError, r"imported: SyntaxError: unmatched '\)' \(bad\.py, line 2\)"),
    "lost.py:make": ("\nimport no_such", FormatError, r"ModuleNotFoundError: .*no_such' \(lost\.py, line 2\)"),
    "exit.py:make": ("import sys\nsys.exit(3)", FormatError, r"SystemExit: 3 \(exit\.py, line 2\)"),
}


@pytest.mark.parametrize("source", REFUSED)
def test_what_a_file_lacks_is_one_sentence(source: str, folder: Path) -> None:
    content, error, told = REFUSED[source]
    if content:
        (folder / source.partition(":")[0]).write_text(content)
    with pytest.raises(error, match=told) as caught:
        load_net(f"{folder}/{source}")
    assert "\n" not in str(caught.value)


def test_weights_of_another_module_are_refused(folder: Path) -> None:
    torch.save({"conv.weight": torch.zeros(4, 3, 3, 3)}, folder / "w.pth")
    with pytest.raises(
        WeightsError, match=r"has no conv\.bias, head\.weight, head\.bias\. Want the weights of this Net"
    ):
        load_net(f"{folder}/net.py:make", weights=folder / "w.pth", input_shape=SHAPE)


def test_a_module_that_is_not_there_is_said() -> None:
    with pytest.raises(FormatError, match=r"no\.such cannot be imported \(ModuleNotFoundError: No module named 'no'\)"):
        load_net("no.such:make")
