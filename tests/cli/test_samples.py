"""`predicdiff samples`."""

from __future__ import annotations

import numpy as np
from helpers.engines import needed
from PIL import Image

from predicdiff.cli.samples import MARK, _around, _framed

pytestmark = needed


def test_samples_draws_the_window_and_what_could_stand_there(cli, net, fitted, picture, tmp_path):
    result = cli("samples", picture, *net, *fitted, "--at", "3,9", "-k", 6, "-S", 7, "-o", "new/s.png")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "small, the 6 x 6 window at row 3, column 9: 7 draws, fitted sampling.",
        "Wrote new/s.png.",
    ]
    with Image.open(tmp_path / "new" / "s.png") as drawn:
        assert (np.asarray(drawn.convert("RGB")) == MARK).all(axis=2).any()


def test_a_window_that_is_not_square_in_a_context_that_is_not(cli, refused, net, folder, picture):
    common = ["samples", picture, *net, "--corpus", folder, "--at", "14,9", "-k", "10x4", "-S", 2]
    result = cli(*common, "-l", "12x9")
    assert result.exit_code == 0, result.output
    assert "the 10 x 4 window at row 14, column 9: 2 draws, conditional sampling." in result.output
    assert "context l = 12 x 3 is smaller than window k = 10 x 4" in refused(*common, "-l", "12x3")
    assert "the 4 x 10 window at row 14, column 15 reaches over" in refused(*common, "--at", "14,15", "-k", "4x10")
    assert "the 24 x 2 window at row 0, column 9" in cli(*common, "--at", "0,9", "-k", "allx2", "-l", "allx3").output


def test_a_corpus_may_give_fewer(cli, net, folder, picture):
    result = cli("samples", picture, *net, "--sampler", "marginal", "--corpus", folder, "--at", "0,0", "-S", 30)
    assert "11 draws, marginal sampling" in result.output
    assert result.output.splitlines()[-1] == "Wrote out/small_tiny_samples.png."


def test_a_grey_window_is_drawn_once(cli, refused, net, picture):
    common = ["samples", picture, *net, "--sampler", "grey", "--at", "0,0"]
    assert "column 0: 1 draw, grey sampling." in cli(*common).output
    assert "--sampler grey draws nothing: leave out -S." in refused(*common, "-S", 9)


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
    assert _around((24, 30), (0, 28), (2, 2)) == (slice(0, 6), slice(24, 30))
    assert _around((24, 30), (10, 10), (4, 2)) == (slice(6, 18), slice(8, 14))
    assert _around((24, 30), (10, 10), (12, 12)) == (slice(0, 24), slice(0, 30))


def test_the_frame_leaves_the_windows_pixels_to_be_seen():
    colours = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    framed = _framed(colours, (0, 3), (3, 2), zoom=3)
    assert framed.shape == (4 * 3 + 2, 5 * 3 + 2, 3)
    enlarged = np.kron(colours, np.ones((3, 3, 1), np.uint8))
    np.testing.assert_array_equal(framed[1:10, 10:16], enlarged[0:9, 9:15])
    ring = (framed == MARK).all(axis=2)
    assert ring.sum() == 2 * 8 + 2 * 9
    assert ring[[0, 10], 9:17].all()
    assert ring[0:11, [9, 16]].all()
