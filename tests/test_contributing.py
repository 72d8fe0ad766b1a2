"""The recipes of CONTRIBUTING.md are followed word by word, and what they add is used as a user would."""

from __future__ import annotations

import importlib
import json
import sys
import types
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.engines import ENGINES, needed, net_of
from helpers.figures import words
from helpers.oracle_nets import LinearNet, MapNet, NormalSampler, photo
from helpers.places import ROOT
from helpers.records import layer, net
from PIL import Image

import predicdiff as pd
from predicdiff import cli, palettes
from predicdiff.algorithm import run
from predicdiff.methods import registry as methods
from predicdiff.nets import zoo
from predicdiff.plan import make_plan
from predicdiff.plotting import comparison_figure
from predicdiff.samplers import registry as samplers
from predicdiff.settings import Settings

SECTIONS = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("\n## ")[1:]
RECIPES = {
    section.partition("\n")[0]: section.partition("```python\n")[2].partition("```")[0]
    for section in SECTIONS
    if "```python" in section
}


def follow(title: str) -> dict[str, Any]:
    """What a recipe's code defines."""
    names: dict[str, Any] = {}
    exec("import numpy as np\n" + RECIPES[title], names)
    return names


def put(package: types.ModuleType, name: str, title: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe's code as a file of a package, which for now has this folder too."""
    (folder / f"{name}.py").write_text(RECIPES[title], encoding="utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    # what the import will leave behind is taken away again with these
    monkeypatch.setattr(package, name, None, raising=False)
    monkeypatch.setitem(sys.modules, f"{package.__name__}.{name}", None)
    del sys.modules[f"{package.__name__}.{name}"]


@pytest.fixture
def tiny(data: Path) -> list[str]:
    """Options of a command or figure for a net on images of 24 x 24."""
    weights = str(data / "tiny_v1.caffemodel")
    return ["--net", str(data / "tiny_v1.prototxt"), "--weights", weights, "--mean", "0,0,0", "--engine", ENGINES[0]]


@pytest.fixture(autouse=True)
def registries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Afterwards the registries are what they were."""
    tables: list[dict[Any, Any]] = [samplers.SAMPLERS, methods.METHODS, palettes.COLOUR_MAPS]
    if "torch" in ENGINES:
        from predicdiff.nets.caffe import layer_types, torch_layers
        from predicdiff.nets.modules import operations

        tables += [layer_types.TYPES, torch_layers.LAYERS, operations.OPERATIONS]
    before = [dict(table) for table in tables]
    monkeypatch.setattr(zoo, "DOORS", zoo.DOORS)
    yield
    for table, entries in zip(tables, before):
        table.clear()
        table.update(entries)


def test_every_kind_of_thing_has_its_recipe() -> None:
    assert list(RECIPES) == [
        "A sampler", "A method for maps", "A colour map", "A door for nets", "A Caffe layer type",
        "A torch operation that incremental evaluation knows", "A place where tiles run", "A command", "A figure",
    ]  # fmt: skip


def test_a_sampler(tmp_path: Path) -> None:
    follow("A sampler")
    corpus = np.full((3, 1, 8, 8), 7.0, np.float32)
    sampler: Any = samplers.find("mean").make(corpus, samplers.Recipe())
    pd.check_sampler(sampler)
    sampler.save(tmp_path / "mean.h5")
    net, pixels = LinearNet(np.ones((2, 1, 8, 8)) * [[[[0.0]]], [[[1.0]]]]), photo((1, 8, 8))
    result = pd.explain(net, pixels, samplers.load_sampler(tmp_path / "mean.h5"), window=2, blob="scores", units=[1])
    # of a linear net each window's value is what its pixels have over the colour
    wanted = pd.occlusion(net, pixels, window=2, value=7.0, blob="scores", units=[1])
    np.testing.assert_array_equal(result.relevance, wanted.relevance)


def test_a_method_for_maps() -> None:
    follow("A method for maps")
    net, pixels = LinearNet(np.zeros((2, 1, 5, 5))), photo((1, 5, 5))
    relevance = methods.make_methods(["centre"])["centre"](net, pixels, (0,), 0)
    assert np.unravel_index(relevance.argmax(), relevance.shape) == (2, 2)


def test_a_colour_map() -> None:
    follow("A colour map")
    relevance = np.ones((6, 6)) * [[-1], [-1], [0], [0], [1], [1]]
    page = comparison_figure(pd.compare(relevance, relevance), cmap="earth")
    assert "green for in both, brown against in both" in words(page).replace("\n", " ")
    (row,) = {tuple(map(tuple, column)) for column in np.swapaxes(page.axes[0].images[0].get_array(), 0, 1)}
    brown, white, green = (84, 48, 5), (255, 255, 255), (0, 61, 48)  # 255 times the recipe's numbers
    assert row == (brown, brown, white, white, green, green)


@pytest.mark.skipif("torch" not in ENGINES, reason="torch is not installed")
def test_a_door_for_nets(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    follow("A door for nets")
    module = types.ModuleType("my_nets")
    module.small = lambda: torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 5))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_nets", module)
    net = pd.load_net("python:my_nets:small", input_shape=(3, 4, 4))
    assert net.blobs["prob"] == (5,)


@pytest.mark.skipif("torch" not in ENGINES, reason="torch is not installed")
def test_a_caffe_layer_type() -> None:
    follow("A Caffe layer type")
    spec = net((1, 6, 6), layer("Softsign", "data", "soft"), layer("Softmax", "soft", "prob"))
    soft = net_of(spec, {}, engine="torch")
    pixels = photo((1, 6, 6)) / 64 - 2
    np.testing.assert_allclose(soft.forward(pixels[None], ["soft"])["soft"][0], pixels / (1 + abs(pixels)), rtol=1e-6)
    slope = soft.gradient(pixels, blob="soft", unit=(0, 2, 3))[0, 2, 3]
    np.testing.assert_allclose(slope, (1 + abs(pixels[0, 2, 3])) ** -2, rtol=1e-5)
    assert soft.evaluation("soft") == "incremental"


@pytest.mark.skipif("torch" not in ENGINES, reason="torch is not installed")
def test_a_torch_operation() -> None:
    import torch

    swap = follow("A torch operation that incremental evaluation knows")["Swap"]
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), swap(), torch.nn.Conv2d(2, 2, 3))
    swapping = pd.load_net(module, input_shape=(1, 9, 9), output="activation")
    assert swapping.evaluation("2") == "incremental"


def test_a_place_where_tiles_run(tmp_path: Path) -> None:
    last_first = follow("A place where tiles run")["run_tiles"]
    settings = Settings(window=3, samples=100, stride=2)
    analysis = make_plan(MapNet((1, 9, 9)), photo((1, 9, 9)), settings).with_sampler(NormalSampler())
    assert len(analysis.tiles()) > 3
    backwards = run(analysis, executor=last_first, checkpoint=tmp_path / "a.tiles")
    np.testing.assert_array_equal(backwards.relevance, run(analysis).relevance)


@needed
def test_a_command(tmp_path: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    put(cli, "brightness", "A command", tmp_path, monkeypatch)
    monkeypatch.setattr(cli.main, "commands", dict(cli.main.commands))
    cli.add("brightness")
    Image.fromarray(np.full((30, 40, 3), 51, np.uint8)).save(tmp_path / "dark.png")
    command = ["brightness", str(tmp_path / "dark.png"), *tiny]
    result = CliRunner().invoke(cli.main, [*command, "--white", "10"])
    assert (result.exit_code, result.output) == (0, "2.00\n")  # 51 of 255 are a fifth
    result = CliRunner().invoke(cli.main, [*command, "--labels", str(tmp_path / "none.txt")])
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert "brightness" in CliRunner().invoke(cli.main, ["--help"]).output


@needed
def test_a_figure(tmp_path: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    put(importlib.import_module("reproduce"), "figure7", "A figure", tmp_path, monkeypatch)
    main = importlib.import_module("reproduce.figure7").main
    command = [*tiny, "--quality", "smoke", "--window", "8", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, (result.output, result.exception)
    numbers = json.loads((tmp_path / "figure7.json").read_text(encoding="utf-8"))
    assert [(panel["sampler"], panel["window"]) for panel in numbers["panels"]] == [("marginal", 8), ("grey", 8)]
    assert pd.load_image(tmp_path / "figure7.png").std() > 10
    assert "0 of 2 maps to make" in CliRunner().invoke(main, command).output
