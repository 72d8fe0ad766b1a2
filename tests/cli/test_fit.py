"""`predicdiff fit`."""

from __future__ import annotations

import numpy as np
from helpers.engines import needed

from predicdiff.images import View
from predicdiff.samplers import GaussianSampler, MarginalSampler
from predicdiff.samplers.corpus import default_corpus
from predicdiff.samplers.grey import GreyPatch


def test_fit_is_the_fit_of_python(cli, folder, photographs, tmp_path):
    options = ["-l", 7, "--patches", 500, "--channels-mode", "independent", "--seed", 3, "--image-size", 20]
    result = cli("fit", folder, "-o", "new/s.h5", *options)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-2:] == [
        "Fitted a context of 7 x 7 to 500 patches of 11 images.",
        "Wrote new/s.h5.",
    ]
    seen = [View("short", 20, antialias=True).apply(image, (20, 20)) for image in photographs[1:]]
    expected = GaussianSampler.fit(seen, 7, patches=500, channels="independent", seed=3)
    sampler = GaussianSampler.load(tmp_path / "new" / "s.h5")
    np.testing.assert_array_equal(sampler.covariance, expected.covariance)
    assert sampler.fitted_on["names"] == [f"{number:02}.png" for number in range(11)]


@needed
def test_a_net_says_how_images_are_seen(cli, net, folder, photographs, tmp_path):
    assert cli("fit", folder, "-o", "s.h5", "-l", 7, "--patches", 500, *net).exit_code == 0
    expected = GaussianSampler.fit(list(photographs[1:]), 7, patches=500)
    np.testing.assert_array_equal(GaussianSampler.load(tmp_path / "s.h5").mean, expected.mean)


@needed
def test_the_authors_covariance_is_that_of_the_nets_first_colour(cli, net, folder, photographs, tmp_path):
    """Blue for a net of Caffe, and where there is none; red for one that takes RGB."""
    options = ["-l", 5, "--patches", 300, "--channels-mode", "authors"]
    for others, first in ((net, 2), (["--image-size", 24], 2), ([*net, "--channels", "rgb"], 0)):
        assert cli("fit", folder, "-o", "s.h5", *options, *others).exit_code == 0
        sampler = GaussianSampler.load(tmp_path / "s.h5")
        apart = GaussianSampler.fit(list(photographs[1:]), 5, patches=300, channels="independent")
        assert sampler.fitted_on["first"] == first
        np.testing.assert_array_equal(sampler.covariance, [apart.covariance[first]] * 3)


def test_a_context_need_not_be_square(cli, folder, photographs, tmp_path):
    result = cli("fit", folder, "-o", "s.h5", "-l", "5x8", "--patches", 300, "--image-size", 24)
    assert "Fitted a context of 5 x 8 to 300 patches of 11 images." in result.output
    expected = GaussianSampler.fit(list(photographs[1:]), (5, 8), patches=300)
    np.testing.assert_array_equal(GaussianSampler.load(tmp_path / "s.h5").covariance, expected.covariance)
    rows = cli("fit", folder, "-o", "s.h5", "-l", "2xall", "--patches", 300, "--image-size", "20x24")
    assert "Fitted a context of 2 x 24 to" in rows.output


def test_without_a_folder_it_is_the_bundled_photographs(cli, tmp_path):
    result = cli("fit", "-o", "s.h5", "-l", 6, "--patches", 900, "--image-size", "40x50")
    assert result.exit_code == 0, result.output
    images, names = default_corpus((3, 40, 50))
    sampler = GaussianSampler.load(tmp_path / "s.h5")
    np.testing.assert_array_equal(sampler.mean, GaussianSampler.fit(images, 6, patches=900).mean)
    assert sampler.fitted_on["names"] == names


def test_a_marginal_sampler_keeps_the_images_as_they_are_seen(cli, folder, photographs, tmp_path):
    result = cli("fit", folder, "-o", "m.h5", "--sampler", "marginal", "--image-size", 24)
    assert result.output.splitlines() == ["Made a marginal sampler of 11 images.", "Wrote m.h5."]
    sampler = MarginalSampler.load(tmp_path / "m.h5")
    np.testing.assert_array_equal(sampler.images, photographs[1:].transpose(0, 3, 1, 2))
    assert sampler.names == [f"{number:02}.png" for number in range(11)]


def test_grey_is_made_of_nothing(cli, tmp_path):
    assert cli("fit", "-o", "g.h5", "--sampler", "grey").output.splitlines()[-1] == "Wrote g.h5."
    assert GreyPatch.load(tmp_path / "g.h5").provenance == {"kind": "grey", "value": None}


def test_too_few_patches_are_noted(cli, folder):
    result = cli("fit", folder, "-o", "s.h5", "-l", 7, "--patches", 60, "--image-size", 24)
    assert "Note: The sampler's covariance is not of full rank" in result.output


def test_what_cannot_be_fitted(refused, folder, tmp_path):
    assert "image size (0, 0)" in refused("fit", folder, "-o", "s.h5", "--image-size", 0)
    assert "context l = 0" in refused("fit", folder, "-o", "s.h5", "-l", 0)
    assert "patches" in refused("fit", folder, "-o", "s.h5", "--patches", 0)
    assert "large" in refused("fit", folder, "-o", "s.h5", "--image-size", 20, "-l", 21)
    assert "no such folder" in refused("fit", "gone", "-o", "s.h5")
    assert "--output" in refused("fit", folder)
    assert "--mean and --raw-scale without a net" in refused("fit", folder, "-o", "s.h5", "--mean", 0, "--raw-scale", 1)
    marginal = ["fit", folder, "-o", "s.h5", "--sampler", "marginal"]
    assert "marginal makes nothing of -l and --patches: leave" in refused(*marginal, "-l", 9, "--patches", 50)
    assert "grey makes nothing of DIR and --seed: leave" in refused(
        "fit", folder, *marginal[2:4], "--sampler", "grey", "--seed", 1
    )
    assert not (tmp_path / "s.h5").exists()
