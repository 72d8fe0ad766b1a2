"""Methods held against each other on a net whose truth is known."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import LinearNet, NormalSampler, photo, softmax

from predicdiff.errors import SettingsError
from predicdiff.judging.deletion import areas, curve
from predicdiff.judging.faithfulness import Faithfulness, faithfulness
from predicdiff.methods.random_map import noise
from predicdiff.methods.registry import names

SHAPE = (1, 8, 8)
SMALL: dict[str, Any] = {"window": 2, "samples": 2, "stride": 2, "steps": 8, "block": 2}


class Spot(LinearNet):
    """Class 1 is how bright the picture is in one corner, over its mean elsewhere."""

    def __init__(self, gain: float = 0.002) -> None:
        weights = np.zeros((2, *SHAPE))
        weights[1, 0, 4:, :4] = gain
        weights[1, 0, :4] = -gain / 8
        super().__init__(weights, bias=[3.0, 0.0])
        self.name = "spot"

    def gradient(self, inputs: np.ndarray, *, blob: str, unit: Any) -> np.ndarray:
        return self.weights[unit[0]]


def pictures(count: int = 5) -> dict[str, np.ndarray]:
    """Noise with a bright corner."""
    images = {}
    for i in range(count):
        images[f"picture {i}"] = photo(SHAPE, i) / 4
        images[f"picture {i}"][0, 4:, :4] += 150
    return images


def truth(net: Any, pixels: np.ndarray, unit: Any, seed: int) -> np.ndarray:
    return (net.weights[unit[0]] * pixels).sum(axis=0)


def lie(net: Any, pixels: np.ndarray, unit: Any, seed: int) -> np.ndarray:
    return -truth(net, pixels, unit, seed)


def compared(**changes: Any) -> Faithfulness:
    settings = {"methods": {"truth": truth, "random": noise, "lie": lie}, "steps": 8, "block": 2, **changes}
    return faithfulness(Spot(), pictures(), **settings)


@pytest.fixture(scope="module")
def result() -> Faithfulness:
    return compared()


def black(pixels: np.ndarray) -> Any:
    return lambda gone: np.zeros_like(pixels)


@pytest.mark.parametrize("infill", ["blur", black])
def test_the_truth_is_better_than_chance_and_a_lie_is_worse(infill: Any) -> None:
    result = compared(infill=infill)
    for mode, sign in (("deletion", 1), ("insertion", -1)):
        truth, chance, lie = sign * result.areas(mode)
        assert (truth < chance).all()
        assert chance.mean() < lie.mean()
        mean, low, high = result.interval(mode, against="random")
        assert sign * mean[0] < 0 < sign * mean[2]
        assert (sign * np.array([low[0], high[0]]) < 0).all()  # the interval leaves out 0
        assert mean[1] == low[1] == high[1] == 0


def test_the_curves_are_those_of_each_method_and_image(result: Faithfulness) -> None:
    assert result.methods == ["truth", "random", "lie"]
    assert result.images == [f"picture {i}" for i in range(5)]
    assert result.targets == ["prob[1]"] * 5
    for m, method in enumerate((truth, noise, lie)):
        for i, pixels in enumerate(pictures().values()):
            relevance = method(Spot(), pixels, (1,), 0)
            for mode in ("deletion", "insertion"):
                wanted = curve(Spot(), pixels, relevance, unit=1, mode=mode, steps=8, block=2)
                np.testing.assert_array_equal(result.curves[mode][m, i], wanted)
                assert result.areas(mode)[m, i] == areas(wanted)
    scores = [(Spot().weights[1] * pixels).sum() for pixels in pictures().values()]
    np.testing.assert_allclose(result.base, softmax(np.array([[3, score] for score in scores]))[:, 1], rtol=1e-5)


def test_the_known_methods_beat_chance() -> None:
    result = faithfulness(Spot(), pictures(), sampler=NormalSampler(), **SMALL)
    assert result.methods == list(names())
    for mode, sign in (("deletion", 1), ("insertion", -1)):
        _, low, high = result.interval(mode, against="random")
        assert (np.maximum(sign * low, sign * high)[:3] < 0).all()
    assert result.settings["windows"] == {"window": 2, "samples": 2, "stride": 2}
    assert result.provenance["sampler"] == "NormalSampler"


def test_intervals_by_explicit_resampling(result: Faithfulness) -> None:
    areas = result.areas("insertion")
    random = np.random.default_rng(0)
    means = [areas[:, [int(u * 5) for u in random.random(5)]].mean(axis=1) for _ in range(10_000)]
    mean, low, high = result.interval("insertion")
    np.testing.assert_allclose(mean, areas.mean(axis=1))
    np.testing.assert_allclose([low, high], np.quantile(means, [0.025, 0.975], axis=0))


def test_the_same_settings_give_the_same_numbers() -> None:
    how: dict[str, Any] = {"sampler": NormalSampler(), "methods": ["prediction difference", "random"], **SMALL}
    first, again, other = (faithfulness(Spot(), pictures(2), seed=seed, **how) for seed in (3, 3, 4))
    assert first.as_dict() == again.as_dict()
    for mode in ("deletion", "insertion"):
        assert (first.curves[mode] != other.curves[mode]).any(axis=(1, 2)).all()


def test_one_image_more_changes_nothing_for_the_others() -> None:
    few, many = (faithfulness(Spot(), pictures(count), sampler=NormalSampler(), **SMALL) for count in (2, 3))
    np.testing.assert_array_equal(few.areas("deletion"), many.areas("deletion")[:, :2])


def test_the_table_has_a_row_for_each_method(result: Faithfulness) -> None:
    lines = result.table().split("\n")
    assert lines[0].startswith("| method | deletion area (lower is better) | less random's | insertion area (higher is")
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| truth", "| random", "| lie"]
    assert {line.count("|") for line in lines} == {6}
    mean, low, high = (row[0] for row in result.interval("deletion"))
    assert lines[2].split(" | ")[1] == f"{mean:.4f} [{low:.4f}, {high:.4f}]"
    gap = result.interval("deletion", against="random")[0][2]
    assert lines[4].split(" | ")[2].startswith(f"+{gap:.4f} [")
    assert lines[3].split(" | ")[2] == ""


def test_without_a_random_map_nothing_is_held_against_it() -> None:
    table = compared(methods={"truth": truth, "lie": lie}).table()
    assert "random" not in table
    assert {line.count("|") for line in table.split("\n")} == {4}


def test_a_single_image_has_no_interval() -> None:
    result = faithfulness(Spot(), pictures(1), methods={"truth": truth, "random": noise}, steps=8, block=2)
    assert "nan" not in result.table()
    assert "[" not in result.table()
    assert result.caption().startswith("spot, 1 image: 'prob' of the predicted class")
    assert result.as_dict()["deletion"]["low"] == [None, None]
    result.figure()


def test_the_caption_says_all_that_matters(result: Faithfulness) -> None:
    caption = result.caption()
    for part in ("spot, 5 images", "95 % bootstrap", "2 x 2 pixels", "8 steps", "infill: blur", "seed 0"):
        assert part in caption
    assert "k = " not in caption
    named = faithfulness(Spot(), pictures(2), methods=["random"], **SMALL)
    assert "Maps with k = 2, S = 2, stride 2." in named.caption()
    assert "infill: inpaint" in compared(infill="inpaint").caption()
    assert "infill: black" in compared(infill=black).caption()


def test_images_of_which_the_net_is_sure_are_counted() -> None:
    result = faithfulness(Spot(gain=1.0), pictures(3), sampler=NormalSampler(), **SMALL)
    assert result.notes == ["Of 3 of 3 images the net is so sure that Laplace's correction flattens the evidence."]
    assert result.notes[0] in result.caption()
    assert not faithfulness(Spot(gain=1.0), pictures(3), methods=["random"], **SMALL).notes


def test_a_probability_that_laplace_leaves_alone_is_not_counted() -> None:
    """0.9995 of two classes after a million training instances is flattened by two thousandths."""
    net, picture = Spot(), pictures(1)
    net.bias[0] = float((net.weights[1] * picture["picture 0"]).sum()) - np.log(0.9995 / 0.0005)
    net.training_instances = 10**6
    result = faithfulness(net, picture, sampler=NormalSampler(), **SMALL)
    assert result.base == pytest.approx(0.9995, abs=1e-5)
    assert not result.notes


def test_all_of_it_goes_into_json(result: Faithfulness) -> None:
    told = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    np.testing.assert_allclose(told["deletion"]["areas"], result.areas("deletion"))
    np.testing.assert_allclose(told["insertion"]["mean_curves"], result.curves["insertion"].mean(axis=1))
    for name, row in zip(("mean", "low", "high"), result.interval("insertion", against="random")):
        np.testing.assert_allclose(told["insertion"]["less_random"][name], row)
    assert told["settings"]["seed"] == 0
    assert told["provenance"]["net"] == {"engine": "spot"}
    assert told["provenance"]["name"] == "spot"


def test_progress_counts_maps() -> None:
    seen: list[tuple[int, int]] = []
    compared(progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 15) for i in range(1, 16)]


def test_a_figure_has_both_diagrams_with_a_line_and_a_band_for_each_method(result: Faithfulness) -> None:
    figure = result.figure("Spots")
    deletion, insertion = figure.axes
    for axes, mode in ((deletion, "deletion"), (insertion, "insertion")):
        assert len(axes.lines) == len(axes.collections) == 3
        for line, method in zip(axes.lines, result.curves[mode]):
            np.testing.assert_allclose(line.get_ydata(), method.mean(axis=0))
    assert deletion.get_xlabel() == "part of the picture taken away"
    assert insertion.get_xlabel() == "part of the picture put back"
    assert "Spots" in [text.get_text() for text in figure.texts]


def test_matplotlib_is_imported_for_the_figure_alone() -> None:
    script = (
        "import sys; from predicdiff.judging import faithfulness, randomisation; "
        "print({'matplotlib', 'torch'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_small_picture_and_window_need_no_other_settings() -> None:
    """Of 8 x 8 pixels, where 28 steps take blocks of one pixel, and windows of 3 no stride of 8."""
    result = faithfulness(Spot(), pictures(1), methods=["occlusion", "random"], window=3)
    assert (result.settings["steps"], result.settings["block"]) == (28, 1)
    assert result.settings["windows"]["stride"] == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": {}}, "no image came"),
        ({"seed": -1}, "seed -1 is out of range"),
        ({"seed": 1.5}, "seed 1.5 is no whole number"),
        ({"infill": "grey"}, "infill 'grey' is unknown"),
        ({"methods": ["guess"]}, "method 'guess' is unknown"),
        ({"methods": {}}, "no method came"),
        ({"steps": 65}, r"--steps 65 \(steps=\): want 1 to 16"),
        ({"methods": {"mine": lambda *_: np.zeros(3)}}, r"method 'mine' gave a map of shape \(3,\)"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    settings: dict[str, Any] = {"images": pictures(1), "methods": ["random"], "steps": 4, "block": 2, **changes}
    with pytest.raises(SettingsError, match=message):
        faithfulness(Spot(), settings.pop("images"), **settings)


def test_what_was_not_compared_cannot_be_asked_for(result: Faithfulness) -> None:
    with pytest.raises(SettingsError, match="mode 'removal' is unknown: want deletion or insertion"):
        result.areas("removal")
    with pytest.raises(SettingsError, match="method 'gradcam' was not compared: want one of truth, random, lie"):
        result.interval("deletion", against="gradcam")
