"""Ranks among the nulls, and the words of a comparison."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from predicdiff.comparing.comparison import Comparison
from predicdiff.comparing.registration import Placement
from predicdiff.comparing.similarity import Similarity
from predicdiff.errors import SettingsError

NAN = float("nan")


def comparison(*nulls: float, pearson: float = 0.5) -> Comparison:
    return Comparison(
        similarity=Similarity(pearson, 0.4, 0.75, 0.2, 11),
        a=np.zeros((3, 4)),
        b=np.zeros((3, 4)),
        titles=("tabby", "picture"),
        top=0.05,
        placement=Placement((2.0, 1.5), (1.0, -2.0)),
        nulls=[Similarity(value, value, 0.5, 0.05, 12) for value in nulls],
        notes=["mind this."],
    )


def test_ranks_count_the_nulls_that_are_no_lower() -> None:
    compared = comparison(0.1, 0.7, 0.5, -0.9, NAN)
    np.testing.assert_array_equal(compared.null(), [-0.9, 0.1, 0.5, 0.7])
    assert (compared.rank(), compared.percentile()) == (3, 50.0)
    assert (compared.rank("spearman"), compared.percentile("spearman")) == (3, 50.0)
    assert (compared.rank("top_overlap"), compared.percentile("top_overlap")) == (1, 100.0)


@pytest.mark.parametrize("compared", [comparison(), comparison(NAN), comparison(0.1, pearson=NAN)])
def test_without_figure_or_null_there_is_no_rank(compared: Comparison) -> None:
    assert compared.rank() is None
    assert np.isnan(compared.percentile())


def test_words_give_each_figure_and_its_nulls() -> None:
    assert comparison(0.1, -0.25).lines() == [
        "Pearson                 0.500, above 2 of 2 other images (-0.250 to 0.100)",
        "Spearman                0.400, above 2 of 2 other images (-0.250 to 0.100)",
        "sign agreement          0.750, above 2 of 2 other images (0.500 to 0.500)",
        "overlap of the top 5 %  0.200, above 2 of 2 other images (0.050 to 0.050)",
        "pixels                  11 of 3 x 4",
        "Note: mind this.",
    ]
    assert comparison().lines()[0] == "Pearson                 0.500"
    assert comparison(0.3, pearson=NAN).lines()[0].endswith("undefined: a map is the same everywhere")


def test_words_say_how_a_picture_was_read() -> None:
    compared = replace(comparison(), style="hsv")
    words = "an overlay in HSV; the map lies in rows 1.0 to 7.0, columns -2.0 to 4.0"
    assert compared.reading() == words
    assert f"picture                 {words}" in compared.lines()
    assert replace(compared, whole=True).reading() == (
        "an overlay in HSV; taken as the whole map, which lies in rows 1.0 to 7.0, columns -2.0 to 4.0"
    )
    assert comparison().reading() == ""


def test_unknown_figures_are_refused() -> None:
    with pytest.raises(SettingsError, match="figure 'kendall' is unknown: want one of pearson, spearman"):
        comparison().rank("kendall")
