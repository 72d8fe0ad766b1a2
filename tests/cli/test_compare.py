"""`predicdiff compare`."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from predicdiff.comparing.compare import compare
from predicdiff.explanation import Explanation, Target
from predicdiff.images import load_image
from predicdiff.overlays import heat


@pytest.fixture
def pair(tmp_path, photographs):
    """Two explanations, one with two targets, as files."""
    rng = np.random.default_rng(0)
    for name, count, image in zip("ab", (2, 1), photographs):
        Explanation(
            relevance=rng.normal(size=(count, 24, 24)),
            stderr=np.full((count, 24, 24), 0.25),
            targets=[Target("prob", [unit], f"prob[{unit}]") for unit in range(count)],
            base=np.full(count, 0.5),
            pixels=image.transpose(2, 0, 1).astype(np.float32),
            unit="bits",
        ).save(tmp_path / f"{name}.h5")
    return tmp_path / "a.h5", tmp_path / "b.h5"


def test_two_explanations_as_from_python(cli, pair, tmp_path):
    result = cli("compare", *pair, "-o", "c.png")
    assert result.exit_code == 0, result.output
    expected = compare(*(Explanation.load(path) for path in pair)).lines()
    assert result.output.splitlines() == [*expected, "Wrote c.png."]
    assert load_image(tmp_path / "c.png").shape[2] == 3


def test_an_explanation_with_itself_above_another(cli, pair):
    result = cli("compare", pair[0], pair[0], "--null", pair[1])
    assert "1.000, above 1 of 1 other images" in result.output.splitlines()[0]


def test_a_picture_of_the_whole_map(cli, pair, tmp_path):
    Image.fromarray(heat(Explanation.load(pair[0]).relevance[0])).save(tmp_path / "panel.png")
    result = cli("compare", pair[0], "panel.png", "--whole")
    assert result.exit_code == 0, result.output
    assert "taken as the whole map, which lies in rows 0.0 to 24.0, columns 0.0 to 24.0" in result.output


def test_the_colours_asked_for(cli, pair, tmp_path):
    result = cli("compare", *pair, "-o", "c.svg", "--cmap", "okabe")
    assert result.exit_code == 0, result.output
    drawn = (tmp_path / "c.svg").read_text(encoding="utf-8")
    assert "orange for in both" in drawn
    assert "red for" not in drawn


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.h5", "{0}"], "no such file"),
        (["{picture}", "{0}"], "the first must be an explanation"),
        (["{0}", "{1}", "--target", "1"], "out of range"),
        (["{0}", "{1}", "-o", "{1}"], "ends in"),
        (["{0}", "{1}", "--whole"], "is for a picture"),
        (["{0}", "{1}", "--cmap", "vik"], "say which file to draw into with -o"),
    ],
)
def test_what_can_not_be_compared(cli, pair, picture, arguments, message):
    result = cli("compare", *(word.format(*pair, picture=picture) for word in arguments))
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
