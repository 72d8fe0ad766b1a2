"""`predicdiff predict`."""

from __future__ import annotations

import numpy as np
from helpers.engines import needed

from predicdiff.nets.caffe.caffemodel import read_caffemodel
from predicdiff.nets.caffe.caffemodel_writer import caffemodel
from predicdiff.nets.caffe.prototxt import read_prototxt
from predicdiff.nets.caffe.resolved import resolve

pytestmark = needed


def test_the_top_classes_of_several_images(cli, net, picture, folder, tmp_path):
    (tmp_path / "words.txt").write_text("cat\ndog\ncow\nhen\npig\n")
    result = cli("predict", picture, folder / "00.png", *net, "--top", 2, "--labels", "words.txt")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == [
        f"{picture} (24 x 24), which tiny sees as 24 x 24:",
        f"{folder}/00.png (24 x 24), which tiny sees as 24 x 24:",
    ]
    rows = [line.split() for line in lines if line.startswith("  ")]
    assert len(rows) == 4
    for index, label, value in rows:
        assert label == ["cat", "dog", "cow", "hen", "pig"][int(index)]
        assert 0 <= float(value) <= 1
    assert float(rows[0][2]) >= float(rows[1][2])


def test_without_an_image_it_is_the_cat(cli, net):
    result = cli("predict", *net)
    assert result.output.startswith(
        "chelsea, a cat that scikit-image brings (300 x 451), which tiny sees as 24 x 24:\n"
    )
    assert len(result.output.splitlines()) == 6


def test_it_goes_on_after_a_broken_image(cli, net, picture, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"none")
    result = cli("predict", "broken.jpg", picture, "gone.png", *net)
    assert result.exit_code == 2
    lines = result.output.splitlines()
    assert "Error: broken.jpg: not an image that Pillow can read. Give a PNG, JPEG or the like." in lines
    assert "Error: gone.png: no such file. Give the path of an image (PNG, JPEG, ...)." in lines
    assert f"{picture} (24 x 24), which tiny sees as 24 x 24:" in lines
    assert lines[-1] == "Error: 2 of 3 images could not be read."


def test_one_broken_image_is_one_sentence(refused, net):
    assert refused("predict", "gone.png", *net) == (
        "Error: gone.png: no such file. Give the path of an image (PNG, JPEG, ...)."
    )


def test_no_classes_is_an_error(refused, net, picture):
    assert "top = 0 is out of range: want 1 to 5 classes" in refused("predict", picture, *net, "--top", 0)


def test_it_goes_on_after_an_image_of_which_the_net_makes_no_numbers(cli, tiny, data, picture, tmp_path):
    spec = resolve(read_prototxt(data / "tiny_v1.prototxt"))
    weights = read_caffemodel(data / "tiny_v1.caffemodel")
    weights["fc"][1][..., 2] = np.nan
    (tmp_path / "nan.caffemodel").write_bytes(b"".join(caffemodel(spec, weights)))
    result = cli("predict", picture, picture, *tiny, "--weights", "nan.caffemodel", "--mean", "0,0,0")
    assert result.exit_code == 2
    *told, last = result.output.splitlines()
    assert [line.startswith("Error: net 'tiny' gives NaN for the image itself, in 5 of 5") for line in told] == [
        True
    ] * 2
    assert last == "Error: 2 of 2 images gave no answer."
