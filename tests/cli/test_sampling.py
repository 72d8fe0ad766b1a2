"""`predicdiff fit` and `predicdiff samples`."""

from __future__ import annotations

import numpy as np
from PIL import Image

from predicdiff.cli.sampling import MARK, _around, _framed
from predicdiff.images import View
from predicdiff.samplers import GaussianSampler
from predicdiff.samplers.corpus import default_corpus


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
    found = GaussianSampler.load(tmp_path / "new" / "s.h5")
    np.testing.assert_array_equal(found.covariance, expected.covariance)
    assert found.fitted_on["names"] == [f"{number:02}.png" for number in range(11)]


def test_a_net_says_how_images_are_seen(cli, net, folder, photographs, tmp_path):
    assert cli("fit", folder, "-o", "s.h5", "-l", 7, "--patches", 500, *net).exit_code == 0
    expected = GaussianSampler.fit(list(photographs[1:]), 7, patches=500)
    np.testing.assert_array_equal(GaussianSampler.load(tmp_path / "s.h5").mean, expected.mean)


def test_the_authors_covariance_is_that_of_the_nets_first_colour(cli, net, folder, photographs, tmp_path):
    """Blue for a net of Caffe, and where there is none; red for one that takes RGB."""
    options = ["-l", 5, "--patches", 300, "--channels-mode", "authors"]
    for others, first in ((net, 2), (["--image-size", 24], 2), ([*net, "--channels", "rgb"], 0)):
        assert cli("fit", folder, "-o", "s.h5", *options, *others).exit_code == 0
        found = GaussianSampler.load(tmp_path / "s.h5")
        apart = GaussianSampler.fit(list(photographs[1:]), 5, patches=300, channels="independent")
        assert found.fitted_on["first"] == first
        np.testing.assert_array_equal(found.covariance, [apart.covariance[first]] * 3)


def test_without_a_folder_it_is_the_bundled_photographs(cli, tmp_path):
    result = cli("fit", "-o", "s.h5", "-l", 6, "--patches", 900, "--image-size", "40x50")
    assert result.exit_code == 0, result.output
    images, names = default_corpus((3, 40, 50))
    found = GaussianSampler.load(tmp_path / "s.h5")
    np.testing.assert_array_equal(found.mean, GaussianSampler.fit(images, 6, patches=900).mean)
    assert found.fitted_on["names"] == names


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
    assert not (tmp_path / "s.h5").exists()


def test_samples_draws_the_window_and_what_could_stand_there(cli, net, fitted, picture, tmp_path):
    result = cli("samples", picture, *net, *fitted, "--at", "3,9", "-k", 6, "-S", 7, "-o", "new/s.png")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "small, the 6 x 6 window at row 3, column 9: 7 draws, fitted sampling.",
        "Wrote new/s.png.",
    ]
    with Image.open(tmp_path / "new" / "s.png") as drawn:
        assert (np.asarray(drawn.convert("RGB")) == MARK).all(axis=2).any()


def test_a_corpus_may_give_fewer(cli, net, folder, picture):
    result = cli("samples", picture, *net, "--sampler", "marginal", "--corpus", folder, "--at", "0,0", "-S", 30)
    assert "11 draws, marginal sampling" in result.output
    assert result.output.splitlines()[-1] == "Wrote out/small_tiny_samples.png."


def test_no_more_draws_than_a_picture_has_room_for(refused, net, fitted, picture, tmp_path):
    arguments = ["--at", "3,9", "-k", 6, "-S", 501, *fitted, "-o", "s.png"]
    assert "S = 501 make too large a picture: want at most 500" in refused("samples", picture, *net, *arguments)
    assert not (tmp_path / "s.png").exists()


def test_windows_outside_of_the_image(refused, net, fitted, picture, tmp_path):
    common = ["samples", picture, *net, *fitted, "-k", 6]
    assert "row 19, column 0 reaches over the border" in refused(*common, "--at", "19,0")
    assert "row -1, column 0 reaches over the border" in refused(*common, "--at", "-1,0")
    assert "l = 12 is smaller than window k = 13" in refused(*common, "--at", "0,0", "-k", 13)
    assert "window k = 0" in refused(*common, "--at", "0,0", "-k", 0)
    assert "S = 0" in refused(*common, "--at", "0,0", "-S", 0)
    assert "want row,column" in refused(*common, "--at", "0")
    assert "both read and written" in refused(*common, "--at", "0,0", "-o", picture)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.png"]


def test_the_surroundings_stay_in_the_image():
    assert _around((24, 30), (0, 28), 2) == (slice(0, 6), slice(24, 30))
    assert _around((24, 30), (10, 10), 4) == (slice(6, 18), slice(6, 18))
    assert _around((24, 30), (10, 10), 12) == (slice(0, 24), slice(0, 30))


def test_the_frame_leaves_the_windows_pixels_to_be_seen():
    colours = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    framed = _framed(colours, (1, 3), 2, zoom=3)
    assert framed.shape == (4 * 3 + 2, 5 * 3 + 2, 3)
    enlarged = np.kron(colours, np.ones((3, 3, 1), np.uint8))
    np.testing.assert_array_equal(framed[4:10, 10:16], enlarged[3:9, 9:15])
    ring = (framed == MARK).all(axis=2)
    assert ring.sum() == 4 * 7
    assert ring[3, 9:17].all()
    assert ring[10, 9:17].all()
