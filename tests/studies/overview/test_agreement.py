"""Two studies held against each other: which maps are compared, and the figures by other means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.small_studies import SHAPE, explained, maps, write_study

from predicdiff.errors import ExplanationError, InputWarning, SettingsError
from predicdiff.images import Frame
from predicdiff.judging.bootstrap import interval
from predicdiff.studies.overview.agreed import Agreement
from predicdiff.studies.overview.agreement import agreement


def studies(tmp_path: Path, first: list[Any], second: list[Any], **how: Any) -> tuple[Path, Path]:
    return write_study(tmp_path / "a", first, **how), write_study(tmp_path / "b", second, **how)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def files(found: Agreement) -> list[tuple[str, str]]:
    return [(pair.match.first.file, pair.match.second.file) for pair in found.pairs]


def test_figures_of_each_image_and_their_means(tmp_path: Path) -> None:
    first, noise = maps(6), maps(6, seed=1)
    second = [one + 0.5 * other for one, other in zip(first, noise)]
    found = agreement(*studies(tmp_path, [explained(one) for one in first], [explained(one) for one in second]))
    wanted = [correlation(one, other) for one, other in zip(first, second)]
    np.testing.assert_allclose(found.values("pearson"), wanted)
    np.testing.assert_allclose(
        found.values("sign_agreement"), [np.mean((one > 0) == (other > 0)) for one, other in zip(first, second)]
    )
    mean = found.mean("pearson")
    assert mean.value == pytest.approx(np.mean(wanted))
    assert [mean.low, mean.high] == pytest.approx([float(end) for end in interval(np.array(wanted))])
    assert mean.images == 6
    least = np.argsort(wanted)
    assert [pair.match.first.file for pair in found.least(2)] == [f"photos/{number}.jpg" for number in least[:2]]


@pytest.mark.parametrize("count", [2, 3, 8])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_null_is_of_another_image_and_takes_each_once(tmp_path: Path, count: int, seed: int) -> None:
    first, second = maps(count), maps(count, seed=1)
    places = studies(tmp_path, [explained(one) for one in first], [explained(one) for one in second])
    found = agreement(*places, seed=seed)
    table = np.array([[correlation(one, other) for one in first] for other in second])
    taken = [int(np.argmin(np.abs(row - null))) for row, null in zip(table, found.nulls("pearson"))]
    for number, other in enumerate(taken):
        assert table[number, other] == pytest.approx(found.nulls("pearson")[number], abs=1e-12)
        assert other != number
    assert sorted(taken) == list(range(count))
    higher = int((np.diag(table) > found.nulls("pearson")).sum())
    assert found.above("pearson") == (higher, count)


def test_an_image_alone_has_no_null_and_no_interval(tmp_path: Path) -> None:
    found = agreement(*studies(tmp_path, [explained(maps(1)[0])], [explained(maps(1, seed=1)[0])]))
    assert found.pairs[0].null is None
    assert found.mean("pearson", null=True).images == 0
    row = found.tables()[0].rows[0]
    assert row[2:] == ["-", "-"]
    assert "[" not in row[1]
    json.dumps(found.as_dict(), allow_nan=False)


def test_images_are_the_same_by_content_before_names(tmp_path: Path) -> None:
    four = [explained(one) for one in maps(4)]
    first = write_study(
        tmp_path / "a", four, names=["x/a.jpg", "x/b.jpg", "x/c.jpg", "x/d.jpg"], hashes=["1", "2", "", "4"]
    )
    second = write_study(
        tmp_path / "b", four, names=["y/b.jpg", "y/c.jpg", "y/e.jpg", "y/d.jpg"], hashes=["1", "3", "2", "5"]
    )
    found = agreement(first, second)
    # a and b have other names there; c has no hash here; the two d are different pictures
    assert files(found) == [("x/a.jpg", "y/b.jpg"), ("x/b.jpg", "y/e.jpg"), ("x/c.jpg", "y/c.jpg")]
    assert (found.first.alone, found.second.alone) == (1, 1)


def test_an_image_that_is_there_twice_is_taken_once_the_one_of_the_same_name_first(tmp_path: Path) -> None:
    three = [explained(one) for one in maps(3)]
    first = write_study(tmp_path / "a", three[:2], names=["p.jpg", "q.jpg"], hashes=["1", "1"])
    second = write_study(tmp_path / "b", three, names=["q.jpg", "p.jpg", "r.jpg"], hashes=["1", "1", "1"])
    assert files(agreement(first, second)) == [("p.jpg", "p.jpg"), ("q.jpg", "q.jpg")]
    assert files(agreement(second, first)) == [("q.jpg", "q.jpg"), ("p.jpg", "p.jpg")]


def test_maps_of_a_class_that_both_have_are_compared(tmp_path: Path) -> None:
    cat, dog, cup, pot = maps(4)
    first = [explained([cat, dog], ("cat", "dog")), explained([cup, pot], ("cup", "pot")), explained([cat], ("cat",))]
    second = [
        explained([dog, cat], ("dog", "cat")),
        explained([dog, pot], ("dog", "pot")),
        explained([dog, cup], ("dog", "cup")),
    ]
    found = agreement(*studies(tmp_path, first, second))
    assert [pair.targets[:2] for pair in found.pairs] == [(0, 1), (1, 1), (0, 0)]
    assert [pair.titles for pair in found.pairs] == [("cat", "cat"), ("pot", "pot"), ("cat", "dog")]
    np.testing.assert_allclose(found.values("pearson"), [1.0, 1.0, correlation(cat, dog)])
    assert (
        dict(found.facts())["maps"]
        == "of the same class in both of 2 images, target 0 of both, whose classes differ, of 1"
    )
    preferred = agreement(tmp_path / "a", tmp_path / "b", target=1)
    assert [pair.titles for pair in preferred.pairs] == [("dog", "dog"), ("pot", "pot")]
    assert preferred.without == 1


def test_maps_of_other_sizes_are_brought_to_the_first_ones(tmp_path: Path) -> None:
    coarse = maps(3, (6, 9))
    fine = [np.kron(one, np.ones((2, 2))) for one in coarse]
    found = agreement(*studies(tmp_path, [explained(one) for one in fine], [explained(one) for one in coarse]))
    assert found.values("pearson").min() > 0.8
    assert found.pairs[0].similarity.pixels == SHAPE[0] * SHAPE[1]
    assert found.notes == ["The second map was resized from 6 x 9 to the first one's 12 x 18 (3 of 3 images)."]


def test_maps_of_nets_that_saw_other_parts_are_compared_through_the_image(tmp_path: Path) -> None:
    """The second net saw the image's middle alone: its map is the middle of the first one's."""
    whole = maps(2, (20, 20))
    image = np.zeros((20, 20, 3), np.uint8)
    frames = Frame((20, 20), (20, 20), (0, 0), (20, 20)), Frame((20, 20), (20, 20), (4, 4), (12, 12))
    first = [explained(one, image=image + number, frame=frames[0]) for number, one in enumerate(whole)]
    second = [explained(one[4:16, 4:16], image=image + n, frame=frames[1]) for n, one in enumerate(whole)]
    found = agreement(*studies(tmp_path, first, second))
    np.testing.assert_allclose(found.values("pearson"), 1.0)
    assert [pair.similarity.pixels for pair in found.pairs] == [144, 144]
    assert "saw different parts of the image" in found.notes[0]


def test_results_that_are_no_use_are_named_and_left_out(tmp_path: Path) -> None:
    five = maps(5)
    second = [explained(one) for one in five]
    second[3] = explained(np.full(SHAPE, np.nan))
    places = studies(tmp_path, [explained(one) for one in five], second)
    (places[0] / "1.h5").write_text("nothing")
    (places[1] / "2.h5").unlink()
    with pytest.warns(InputWarning) as warned:
        found = agreement(*places)
    said = sorted(str(one.message) for one in warned)
    assert len(said) == 3
    assert "1.h5: not a whole explanation" in said[0]
    assert "holds no finite number. Left out." in said[1]
    assert "2.h5: no such file" in said[2]
    assert [pair.match.first.name for pair in found.pairs] == ["0.jpg", "4.jpg"]
    assert found.lost == 3
    # each of the two that are left is held against the other
    np.testing.assert_allclose(found.nulls("pearson"), correlation(five[0], five[4]))
    assert dict(found.facts())["images"] == "2 compared, 3 results that cannot be used"


def test_a_map_that_is_the_same_everywhere_has_no_correlation(tmp_path: Path) -> None:
    three = maps(3)
    second = [explained(one) for one in (np.ones(SHAPE), *three[1:])]
    found = agreement(*studies(tmp_path, [explained(one) for one in three], second))
    assert np.isnan(found.values("pearson")[0])
    assert (found.mean("pearson").value, found.mean("pearson").images) == (pytest.approx(1.0), 2)
    assert len(found.least()) == 2
    record = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert record["images"][0]["pearson"] is None


def test_the_record_holds_each_image(tmp_path: Path) -> None:
    places = studies(tmp_path, [explained(one) for one in maps(3)], [explained(one) for one in maps(3, seed=1)])
    found = agreement(*places)
    record = found.as_dict()
    assert [one["pearson"] for one in record["images"]] == list(found.values("pearson"))
    assert [one["null"]["spearman"] for one in record["images"]] == list(found.nulls("spearman"))
    assert record["figures"]["pearson"]["mean"]["value"] == found.mean("pearson").value
    assert record["studies"][0]["folder"] == str(places[0])
    assert b"| Pearson |" in found.page()


def test_the_seed_decides_whose_map_is_the_null(tmp_path: Path) -> None:
    places = studies(tmp_path, [explained(one) for one in maps(8)], [explained(one) for one in maps(8, seed=1)])
    first, again, other = (agreement(*places, seed=seed).nulls("pearson") for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_what_can_not_be_compared(tmp_path: Path) -> None:
    first = write_study(tmp_path / "a", [explained(one) for one in maps(2)])
    second = write_study(tmp_path / "b", [explained(one) for one in maps(2)], names=["x.jpg", "y.jpg"])
    with pytest.raises(ExplanationError, match="have no image in common, neither by its content nor by its name"):
        agreement(first, second)
    with pytest.raises(ExplanationError, match="no such folder"):
        agreement(first, tmp_path / "c")
    with pytest.raises(SettingsError, match="target = -2: want a number from 0"):
        agreement(first, first, target=-2)
    with pytest.raises(ExplanationError, match="none of the 2 images that they have in common can be compared"):
        agreement(first, write_study(tmp_path / "d", [explained(one, ("dog",)) for one in maps(2)]), target=3)
    with pytest.raises(SettingsError, match="figure 'kendall' is unknown: want one of pearson, "):
        agreement(first, first).values("kendall")
