"""What maps of known reliability cost: the estimate of it, RISE's expectation, others' methods, and the tables."""

from __future__ import annotations

import itertools
import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import numpy as np
import pytest
from click.testing import CliRunner
from helpers import oracle_nets
from skimage.transform import resize

from predicdiff.algorithm import run
from predicdiff.errors import FormatError
from predicdiff.images import View
from predicdiff.methods.occlusion import occlusion
from predicdiff.nets.preprocessing import Preprocessing
from predicdiff.nets.zoo import load_net
from predicdiff.plan import make_plan
from predicdiff.samplers.marginal import MarginalSampler
from predicdiff.settings import Settings

torch = pytest.importorskip("torch")

SHAPE = (3, 24, 24)
PIXELS = np.random.default_rng(0).uniform(0, 255, SHAPE).astype(np.float32)


@pytest.fixture
def against(module: Callable[[str], Any], tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command's module with little to do."""
    command = module("against")
    for name, number in {"PART": 8, "TIMED": 8, "DRAWS": 2}.items():
        monkeypatch.setattr(command, name, number)
    monkeypatch.setattr(module("against_kept"), "ROUNDS", 1)
    return command


@pytest.fixture
def ways(module: Callable[[str], Any]) -> Any:
    return module("against_ways")


@pytest.fixture
def table(module: Callable[[str], Any]) -> Any:
    return module("against_table")


@pytest.fixture
def net(data: Path) -> Any:
    """A net of a few hundred weights."""
    preprocessing = Preprocessing(view=View(mode="warp", size=24), channels="bgr", mean=np.array([104.0, 117.0, 123.0]))
    weights = data / "tiny_v1.caffemodel"
    return load_net(data / "tiny_v1.prototxt", weights=weights, preprocessing=preprocessing, device="cpu")


@pytest.fixture
def question(ways: Any, net: Any) -> Any:
    return ways.Question(make_plan(net, PIXELS, Settings(window=10, samples=1, stride=1)))


def call(against: Any, out: Path, *arguments: object, code: int = 0) -> str:
    command = ["--net", "tiny", "--square", "6", "--doublings", "2", "--setting", "4,1", "--out", str(out)]
    result = CliRunner().invoke(against.main, [*command, *map(str, arguments)])
    assert result.exit_code == code, (result.output, result.exception)
    assert "Traceback" not in result.output
    return result.output


def made_up(number: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A true map (60, 60), and estimates of it with normal noise of this variance; the truth's is 1."""
    random = np.random.default_rng(seed)
    truth = random.standard_normal((60, 60))
    truth = (truth - truth.mean()) / truth.std()
    return truth, truth + noise**0.5 * random.standard_normal((number, 60, 60))


def test_reliability_is_the_correlation_with_a_truth_that_is_not_known(table: Any) -> None:
    random = np.random.default_rng(1000)  # none of the seeds below
    found = []
    for seed in range(40):
        truth, others = made_up(3, 2.0, seed)
        map_ = 0.7 * truth + 0.5 * random.standard_normal(truth.shape)  # another slope, and an error of its own
        wanted = np.corrcoef(map_.ravel(), truth.ravel())[0, 1]
        usual = np.corrcoef(map_.ravel(), others.mean(axis=0).ravel())[0, 1]
        assert usual < wanted - 0.15
        slope = np.polyfit(truth.ravel(), map_.ravel(), 1)[0]
        found.append((table.reliability(map_, others) - wanted, table.slope(map_, others) - slope))
    # of n = 3600 independent pixels; each error is some 1 / sqrt(n) times noise of order 1, its bias of order 1 / n
    assert (np.abs(np.mean(found, axis=0)) < 5 * np.std(found, axis=0) / math.sqrt(len(found)) + 2 / 3600).all()
    assert (np.std(found, axis=0) < 3 / math.sqrt(3600)).all()


def test_estimates_that_have_nothing_in_common_tell_nothing(table: Any) -> None:
    map_ = np.random.default_rng(9).standard_normal((5, 5))
    assert math.isnan(table.reliability(map_, [map_, -map_]))


def test_runs_are_judged_by_each_other_and_not_by_themselves(table: Any) -> None:
    truth, few = made_up(6, 3.0, 2)
    many = truth + 0.5 * (made_up(6, 3.0, 3)[1] - made_up(6, 0.0, 3)[0])  # a quarter of the noise's variance
    found = table.reliabilities(np.stack([few, many], axis=1))
    assert found.shape == (2, 6)
    np.testing.assert_allclose(found[0], math.sqrt(1 / 4), atol=0.06)  # V / (V + noise), V = 1
    np.testing.assert_allclose(found[1], math.sqrt(1 / 1.75), atol=0.06)


def test_how_many_evaluations_the_goal_would_take(table: Any) -> None:
    noise, goal = 3e4, 0.99
    reached = math.sqrt(1 / (1 + noise / 20_000))
    wanted = noise * goal**2 / (1 - goal**2)  # where 1 / (1 + noise / m) is the goal's square
    assert table.needed(20_000, reached, goal) == pytest.approx(wanted)


def test_cells_are_enlarged_as_images_are(ways: Any) -> None:
    cells = np.random.default_rng(3).random((7, 7))
    wanted = resize(cells, (16, 40), order=1, mode="edge", anti_aliasing=False)
    np.testing.assert_allclose(ways.enlarging(7, 2) @ cells @ ways.enlarging(7, 5).T, wanted, atol=1e-12)


def test_rise_has_its_expectation(ways: Any) -> None:
    """Of a linear net: the mean over all cuts of E[f(I M) M] / p, with E[M M'] from single cells enlarged."""
    random, (rows, columns) = np.random.default_rng(4), (7, 14)
    weights, inputs = random.standard_normal((2, 3, rows, columns))
    toy = SimpleNamespace(inputs=inputs, values=lambda batch: (batch * weights).sum(axis=(1, 2, 3)))
    single = [resize(cell.reshape(7, 7), (8, 16), order=1, mode="edge", anti_aliasing=False) for cell in np.eye(49)]
    gain, wanted = (weights * inputs).sum(axis=0).ravel(), np.zeros(rows * columns)
    for left in (0, 1):
        cut = np.stack([each[:rows, left : left + columns].ravel() for each in single])
        wanted += 0.5 * (0.25 + 0.25 * cut.T @ cut) @ gain / 0.5
    runs = np.array([ways.rise(toy, 100, [5, number]).ravel() for number in range(60)])
    error = runs.std(axis=0, ddof=1) / math.sqrt(60)
    score = (runs.mean(axis=0) - wanted) / error
    assert np.abs(score).max() < 5
    assert np.std(wanted) > 5 * error.mean()  # which is no small expectation


def test_masks_are_cut_at_all_places_of_a_cell(ways: Any) -> None:
    masks = ways.rise_masks(np.random.default_rng(6), 4000, (24, 30), cells=4)
    assert masks.shape == (4000, 24, 30)
    assert masks.min() >= 0
    assert masks.max() <= 1
    # a pixel's mask has a standard deviation of at most a half
    np.testing.assert_allclose(masks.mean(axis=0), 0.5, atol=5 * 0.5 / math.sqrt(4000))


def test_regression_over_all_subsets_gives_shapley_values(ways: Any) -> None:
    number = 4
    worth = dict(zip(itertools.product((0, 1), repeat=number), np.random.default_rng(7).standard_normal(16)))
    wanted = np.zeros(number)
    for order in itertools.permutations(range(number)):
        there = [0] * number
        for feature in order:
            before, there[feature] = worth[tuple(there)], 1
            wanted[feature] += (worth[tuple(there)] - before) / math.factorial(number)
    kept = np.array(list(worth))
    sizes = kept.sum(axis=1)
    weights = [1e6 if size in (0, number) else 3 / (math.comb(number, size) * size * (number - size)) for size in sizes]
    found = ways.shapley(kept, np.array(list(worth.values())), np.array(weights))
    np.testing.assert_allclose(found, wanted, atol=1e-5)  # weights of the ends are not infinite


def test_a_square_has_what_the_whole_map_has_there(ways: Any, net: Any, module: Callable[[str], Any]) -> None:
    sampler = MarginalSampler(np.random.default_rng(8).uniform(0, 255, (9, *SHAPE)).astype(np.float32))
    presets = module("presets")
    for stride, square in itertools.product((1, 3, 4), (ways.Square(9, 5, 6), ways.Square(0, 18, 6))):
        asked = {"window": 10, "samples": 2, "stride": stride, "between": "linear"}
        analysis = oracle_nets.analysis(net, PIXELS, sampler, **asked)
        origins = square.origins((24, 24), (stride, stride))
        values = presets.evaluated(analysis, origins, 2, 0, "test")
        wanted = square.cut(run(analysis).relevance[0])
        np.testing.assert_allclose(ways.our_map(analysis, square, values), wanted, atol=1e-5 * np.abs(wanted).max())


def test_superpixels_part_the_image(ways: Any) -> None:
    plan = SimpleNamespace(
        pixels=np.where(np.arange(60) < 20, 0.0, 255.0)[None, None].repeat(3, 0).repeat(40, 1),
        tones=SimpleNamespace(black=0.0, white=255.0),
    )
    parts = ways.superpixels(plan)
    assert set(np.unique(parts)) == set(range(parts.max() + 1))
    assert 10 < parts.max() < 100


def test_a_run_leaves_tables_and_a_record_and_is_not_made_again(
    against: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("captum", "captum.attr"):
        monkeypatch.setitem(sys.modules, name, None)
    output = call(against, tmp_path / "out")
    assert "Captum is not installed here" in output
    record = json.loads((tmp_path / "out" / "against.json").read_text())
    (comparison,) = record["comparisons"].values()
    rows = {(row["method"], row["setting"], row["evaluations"]): row for row in comparison["rows"]}
    assert set(rows) == {*(("RISE", "", 8 * part) for part in (1, 2, 4)), ("ours", "stride 4, S = 1", 25)}
    assert [len(row["square"]) for row in rows.values()] == [3, 3, 3, 1]
    assert all(row["seconds"] > 0 for row in rows.values())
    dense, ours = (rows[key]["multiply_adds"] for key in (("RISE", "", 8), ("ours", "stride 4, S = 1", 25)))
    assert 0 < ours < dense
    for way in ("rise", "run"):
        monkeypatch.setattr(against, way, None)
    monkeypatch.setattr(against.presets, "evaluated", None)
    assert call(against, tmp_path / "out").splitlines()[-8:] == output.splitlines()[-8:]


def test_a_part_of_other_settings_is_made_anew_and_no_other_file(module: Callable[[str], Any], tmp_path: Path) -> None:
    kept, path = module("against_kept").kept, tmp_path / "part.h5"
    assert kept(path, {"seed": 1}, lambda: {"a": np.arange(3)})["a"].tolist() == [0, 1, 2]
    assert kept(path, {"seed": 1}, dict)["a"].tolist() == [0, 1, 2]
    assert kept(path, {"seed": 2}, lambda: {"a": np.arange(2)})["a"].tolist() == [0, 1]
    path.write_bytes(b"another program's")
    with pytest.raises(FormatError, match=r"part\.h5: not a whole part of a comparison\. predicdiff did not write it"):
        kept(path, {"seed": 2}, dict)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--square", 25], "--square 25 does not fit into what the net sees, 24 x 24."),
        (["--setting", "2"], "--setting 2: want a stride and a number of draws, such as 2,1."),
        (["--setting", "2,0"], "samples"),
        (["--setting", "11,1"], "stride = 11 with window k = 10: want 1 <= stride <= k"),
        (["--runs", 2], "x>=3"),
        (["--engine", "caffe"], "want torch"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_measured(
    arguments: list[Any], words: str, against: Any, tmp_path: Path
) -> None:
    assert words in " ".join(call(against, tmp_path / "out", *arguments, code=2).split())
    assert not (tmp_path / "out").exists()


def test_a_table_says_what_was_reached_or_what_it_would_take(table: Any) -> None:
    row = table.Row("RISE", "", 10_000, 3e8, 100.0, (0.8,), (0.7, 0.8, 0.9), sampled=True)
    rows = [
        row,
        replace(row, evaluations=20_000, seconds=200.0, whole=(0.9,) * 3),
        table.Row("ours", "stride 2, S = 1", 12_000, 4e7, 30.0, (0.992,)),
        table.Row("ours", "stride 4, S = 1", 3_000, 4e7, 7.54, (0.95,)),
        table.Row("Occlusion", "stride 2", 11_000, 0.0, 110.0, (0.99,), (0.97,)),
    ]
    rows.append(table.Row("KernelSHAP", "", 100, 3e8, 1.0, (), (0.5, float("nan")), sampled=True))
    lines = table.report(rows, note="A note.").splitlines()
    # (1 / 0.81 - 1) / (1 / 0.9801 - 1) = 11.55 times as many
    assert lines[2] == "| RISE | about 230,000 | about 2,300 | 0.900 after 20,000 |"
    assert lines[3] == "| ours | 12,000 | 30 | 0.992 with stride 2, S = 1 |"
    assert lines[4] == "| Occlusion | more than 11,000 | more than 110 | 0.970 with stride 2 |"
    assert lines[5] == "| KernelSHAP | more than 100 | more than 1.0 | lost in noise after 100 |"
    assert "| RISE |  | 10,000 | 0.300 G | 100 | 0.800 | 0.800 (0.700 to 0.900) |" in lines
    assert "| ours | stride 4, S = 1 | 3,000 | 0.040 G | 7.5 | 0.950 |  |" in lines
    assert lines[-1] == "A note."


def test_captum_occludes_as_we_do(ways: Any, question: Any, net: Any) -> None:
    pytest.importorskip("captum.attr")
    for stride in (1, 7):
        found, evaluations = ways.captum_occlusion(question, stride)
        ours = occlusion(net, PIXELS, window=10, stride=stride, units=question.plan.units).relevance[0]
        np.testing.assert_allclose(found, ours, atol=1e-5 * np.abs(ours).max())
        assert evaluations == (14 // stride + 1) ** 2 + 1  # the image itself, too


def test_captums_methods_are_in_the_tables(against: Any, tmp_path: Path) -> None:
    pytest.importorskip("captum.attr")
    assert "not installed" not in call(against, tmp_path / "out")
    (comparison,) = json.loads((tmp_path / "out" / "against.json").read_text())["comparisons"].values()
    found = [(row["method"].split(",")[0], row["setting"], row["evaluations"]) for row in comparison["rows"]]
    # windows at 0, stride, ... that reach 14, and the image itself
    occluded = [(8, 3), (4, 5), (3, 6), (2, 8)]
    assert found[:4] == [("Captum's Occlusion", f"stride {stride}", along**2 + 1) for stride, along in occluded]
    assert found[4:7] == [("KernelSHAP", "", 8 * part) for part in (1, 2, 4)]
    assert all(len(row["whole"]) == 1 for row in comparison["rows"][:4])


def test_captum_answers_for_the_features_that_it_says_are_kept(ways: Any, question: Any, net: Any) -> None:
    pytest.importorskip("captum.attr")
    rows = np.arange(24) // 8
    features = 3 * rows[:, None] + rows
    seen, again = (ways.kernel_shap(question, features, 40, 3) for _ in range(2))
    np.testing.assert_array_equal(seen["kept"], again["kept"])
    assert seen["kept"].shape == (40, 9)
    ((channel,),) = question.plan.units
    for kept, answer in zip(seen["kept"], seen["answers"]):
        image = np.where(kept[features], PIXELS, np.float32(127.5))
        wanted = net.forward(net.encode(image)[None], ["prob"])["prob"][0, channel]
        assert answer == pytest.approx(wanted, abs=1e-5)
