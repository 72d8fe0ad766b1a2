"""`predicdiff sensitivity`."""

from __future__ import annotations

import pytest
from helpers.engines import needed
from PIL import Image

from predicdiff.palettes import COLOUR_MAPS

pytestmark = needed


def test_the_predicted_class(cli, net, picture, tmp_path):
    result = cli("sensitivity", picture, *net)
    assert result.exit_code == 0, result.output
    best = result.output.splitlines()[1].split()[0]
    assert result.output.splitlines()[-2:] == [
        f"Sensitivity of fc[{best}], tiny: the largest magnitude over the colours.",
        "Wrote out/small_tiny_sensitivity.png.",
    ]
    with Image.open(tmp_path / "out" / "small_tiny_sensitivity.png") as drawn:
        assert drawn.width > 400


def test_each_kind_is_another_picture(cli, net, picture, tmp_path):
    pictures = set()
    for kind in ("max_abs", "signed", "times_input"):
        assert cli("sensitivity", picture, *net, "--kind", kind, "-o", "a.png").exit_code == 0
        pictures.add((tmp_path / "a.png").read_bytes())
    assert len(pictures) == 3


@pytest.mark.parametrize("cmap", ["okabe", "vik"])
def test_signed_values_have_the_colours_asked_for(cli, net, model, picture, tmp_path, cmap):
    assert cli("sensitivity", picture, *net, "--kind", "signed", "--cmap", cmap, "-o", "a.svg").exit_code == 0
    drawn = (tmp_path / "a.svg").read_text(encoding="utf-8")
    inks = [COLOUR_MAPS[cmap].ink(sign) for sign in (1, -1)]
    assert all(ink in drawn for ink in inks)
    assert not any(COLOUR_MAPS["seismic"].ink(sign) in drawn for sign in (1, -1))


def test_outliers_that_are_cut_off_are_told_by_the_bar(cli, net, picture, tmp_path):
    """The full colour is that of the 99.5th percentile of 576 pixels, which two or three exceed."""
    assert cli("sensitivity", picture, *net, "--kind", "times_input", "-o", "a.svg").exit_code == 0
    drawn = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "\N{GREATER-THAN OR EQUAL TO}" in drawn or "\N{LESS-THAN OR EQUAL TO}" in drawn


def test_units_and_labels(cli, net, picture, tmp_path):
    (tmp_path / "words.txt").write_text("cat\ndog\ncow\nhen\npig\n")
    common = ["sensitivity", picture, *net, "--labels", "words.txt", "-o", "a.svg"]
    assert "Sensitivity of pig (fc[4]), tiny: " in cli(*common, "--unit", 4).output
    assert "Sensitivity of pig (fc[4]), tiny: " in cli(*common, "--unit", "pig").output
    assert "Sensitivity of pig (prob[4]), tiny: " in cli(*common, "--unit", 4, "--blob", "prob").output
    assert "Sensitivity of conv2a[3, 1, 2], tiny: " in cli(*common, "--unit", "3,1,2", "--blob", "conv2a").output
    assert "Sensitivity of conv2a[3], tiny: " in cli(*common, "--unit", "3", "--blob", "conv2a").output


def test_what_cannot_be_drawn(refused, net, picture, tmp_path):
    common = ["sensitivity", picture, *net]
    assert "Near names: conv2" in refused(*common, "--blob", "conv2")
    assert "unit 5 is out of range" in refused(*common, "--unit", 5)
    assert "holds no classes" in refused(*common, "--blob", "conv2a")
    assert "loud" in refused(*common, "--kind", "loud")
    assert "drawn from black to white: leave out --cmap, or take --kind signed or" in refused(*common, "--cmap", "vik")
    assert "both read and written" in refused(*common, "-o", picture)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.png"]
