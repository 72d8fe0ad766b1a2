"""`predicdiff compare`, `faithfulness`, `randomisation`; `explain` by other methods, from other blobs, like others."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.engines import needed
from PIL import Image

from predicdiff.comparing.compare import compare
from predicdiff.explanation import Explanation
from predicdiff.images import load_image
from predicdiff.judging.faithfulness import faithfulness
from predicdiff.methods.occlusion import occlusion
from predicdiff.presets import LIKES
from predicdiff.samplers.corpus import default_corpus, read_folder
from predicdiff.samplers.hidden import hidden_marginal

pytestmark = needed
QUICK = ["-k", 8, "--stride", 8, "-S", 2]


@pytest.fixture
def made(cli, net, fitted, picture, tmp_path):
    """Two explanations, one with two targets."""
    other = tmp_path / "other.png"
    Image.fromarray(load_image(picture)[::-1, ::-1].copy()).save(other)
    for image, name, more in ((picture, "a", ["--top", 2]), (other, "b", [])):
        assert cli("explain", image, *net, *fitted, *QUICK, *more, "-o", f"{name}.h5", "-q").exit_code == 0
    return tmp_path / "a.h5", tmp_path / "b.h5"


@pytest.fixture
def folder(tmp_path):
    """A few small photographs."""
    where = tmp_path / "photos"
    where.mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        noise = rng.uniform(0, 255, (6, 6, 3)).astype(np.uint8)
        Image.fromarray(noise).resize((24, 24), Image.BILINEAR).save(where / f"{number}.png")
    return where


def test_two_explanations_as_from_python(cli, made, tmp_path):
    result = cli("compare", *made, "-o", "c.png")
    assert result.exit_code == 0, result.output
    expected = compare(*(Explanation.load(path) for path in made)).lines()
    assert result.output.splitlines() == [*expected, "Wrote c.png."]
    assert load_image(tmp_path / "c.png").shape[2] == 3


def test_an_explanation_with_itself_above_another(cli, made):
    result = cli("compare", made[0], made[0], "--null", made[1])
    assert "1.000, above 1 of 1 other images" in result.output.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.h5", "{0}"], "no such file"),
        (["{picture}", "{0}"], "the first must be an explanation"),
        (["{0}", "{1}", "--target", "1"], "out of range"),
        (["{0}", "{1}", "-o", "{1}"], "ends in"),
    ],
)
def test_what_can_not_be_compared(cli, made, picture, arguments, message):
    result = cli("compare", *(word.format(*made, picture=picture) for word in arguments))
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_faithfulness_as_from_python(cli, net, model, folder, tmp_path):
    settings = {"window": 8, "samples": 2, "stride": 8, "steps": 4, "block": 6}
    result = cli("faithfulness", folder, *net, *QUICK, "--steps", 4, "--block", 6, "-o", "f.png", "-q")
    assert result.exit_code == 0, result.output
    arrays, names, _ = read_folder(folder, model.view)
    expected = faithfulness(model, dict(zip(names, arrays)), **settings)
    assert expected.table() in result.output
    assert json.loads((tmp_path / "f.json").read_text())["settings"]["steps"] == 4
    assert load_image(tmp_path / "f.png").shape[2] == 3


def test_randomisation_tells_its_verdict(cli, net, folder):
    result = cli("randomisation", folder, *net, "--method", "sensitivity", "-q")
    assert result.exit_code == 0, result.output
    assert "random layers" in result.output
    assert "| 4 of 4 | conv1 |" in result.output


def test_occlusion_as_from_python(cli, net, model, picture, tmp_path):
    assert cli("explain", picture, *net, *QUICK[:-2], "--method", "occlusion", "-o", "o.h5", "-q").exit_code == 0
    expected = occlusion(model, load_image(picture), window=8, stride=8)
    found = Explanation.load(tmp_path / "o.h5")
    np.testing.assert_array_equal(found.relevance, expected.relevance)
    assert found.unit == "activation"


def test_a_hidden_start_as_from_python(cli, net, model, picture, tmp_path):
    from predicdiff.algorithm import explain

    options = ["--start", "pool1", "--sampler", "marginal", "-k", 2, "--stride", 1, "-S", 2, "--channels-apart"]
    result = cli("explain", picture, *net, *options, "-o", "h.h5", "-q")
    assert result.exit_code == 0, result.output
    image = load_image(picture)
    corpus, names = default_corpus(model.input_shape, exclude=image)
    sampler = hidden_marginal(model, corpus, "pool1", names=names)
    how = {"window": 2, "samples": 2, "stride": 1, "start": "pool1", "channels_apart": True}
    expected = explain(model, image, sampler, **how)
    found = Explanation.load(tmp_path / "h.h5")
    np.testing.assert_array_equal(found.relevance, expected.relevance)
    assert found.targets == expected.targets


@pytest.mark.parametrize("name", LIKES)
def test_settings_like_others(cli, net, picture, tmp_path, name):
    options = ["--like", name, "--sampler", "marginal", "-k", 8, "--stride", 8]
    result = cli("explain", picture, *net, *options, "-o", "l.h5", "-q")
    assert result.exit_code == 0, result.output
    found = Explanation.load(tmp_path / "l.h5")
    assert found.settings["like"] == name
    assert found.settings["samples"] == LIKES[name].samples
    assert found.settings["training_instances"] == (LIKES[name].training_instances or 1_281_167)
    rounded = found.relevance.astype(np.float16).astype(np.float64)
    assert (rounded == found.relevance).all() == LIKES[name].half


def test_a_blob_that_does_not_see_the_start(cli, net, picture, tmp_path):
    result = cli("explain", picture, *net, "--start", "fc", "--blob", "conv1", "--unit", 0, "-o", "x.h5")
    assert result.exit_code == 2
    assert "does not lie downstream" in result.output
    assert not (tmp_path / "x.h5").exists()


def test_results_of_other_blobs_get_names_of_their_own(cli, net, picture, tmp_path):
    options = [
        "--sampler",
        "marginal",
        "-k",
        2,
        "--stride",
        2,
        "-S",
        2,
        "--start",
        "pool1",
        "--blob",
        "fc",
        "--unit",
        1,
    ]
    result = cli("explain", picture, *net, *options, "-q")
    assert result.exit_code == 0, result.output
    assert sorted(path.suffix for path in (tmp_path / "out").glob("*_marginal_from-pool1_fc.*")) == [".h5", ".png"]


def test_evidence_of_a_blob_without_probabilities(cli, net, picture, tmp_path):
    result = cli("explain", picture, *net, "--blob", "fc", "--measure", "evidence", "-o", "x.h5")
    assert result.exit_code == 2
    assert "holds no probabilities: want 'prob'" in result.output
    assert not (tmp_path / "x.h5").exists()


def test_the_plain_difference_of_a_probability(cli, net, fitted, picture, tmp_path):
    assert cli("explain", picture, *net, *fitted, *QUICK, "--measure", "activation", "-o", "m.h5", "-q").exit_code == 0
    assert Explanation.load(tmp_path / "m.h5").unit == "activation"
