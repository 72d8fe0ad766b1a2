"""What a study says, against numpy on all of its maps at once."""

from __future__ import annotations

import json
import re
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from helpers.small_studies import SHAPE, explained, maps, write_study

from predicdiff.errors import ExplanationError, InputWarning, SettingsError
from predicdiff.ours import refuse
from predicdiff.studies.overview.summary import summary


def test_mean_spread_and_signs_as_of_all_maps_at_once(tmp_path: Path) -> None:
    all_maps = np.array(maps(7))
    found = summary(write_study(tmp_path, [explained(one) for one in all_maps]))
    np.testing.assert_allclose(found.mean, all_maps.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.spread, all_maps.std(axis=0, ddof=1), atol=1e-12)
    np.testing.assert_array_equal(found.above, (all_maps > 0).mean(axis=0))
    assert (len(found.seen), found.failed, found.lost, found.without) == (7, 0, 0, 0)
    assert found.made == "a net"


def test_a_spread_far_below_the_mean_is_not_lost(tmp_path: Path) -> None:
    """Of sums of squares nothing would be left: 1e9 squared has no room for 1e-3."""
    all_maps = 1e9 + 1e-3 * np.array(maps(5))
    found = summary(write_study(tmp_path, [explained(one) for one in all_maps]))
    np.testing.assert_allclose(found.spread, all_maps.std(axis=0, ddof=1), rtol=1e-3)


def test_what_is_not_known_does_not_count_where_it_is(tmp_path: Path) -> None:
    all_maps = np.array(maps(5))
    all_maps[0, :4] = np.nan
    all_maps[1:, 0, 0] = np.nan
    all_maps[:4, 1, 1] = np.nan
    all_maps[2, 7, 7] = np.inf
    found = summary(write_study(tmp_path, [explained(one) for one in all_maps]))
    all_maps[2, 7, 7] = np.nan
    assert np.isnan(found.mean[0, 0])
    known = np.ones(SHAPE, bool)
    known[0, 0] = False
    np.testing.assert_allclose(found.mean[known], np.nanmean(all_maps[:, known], axis=0))
    assert np.isnan(found.spread[1, 1])
    known[1, 1] = False
    np.testing.assert_allclose(found.spread[known], np.nanstd(all_maps[:, known], axis=0, ddof=1))
    for number, one in enumerate(found.seen):
        counted = np.isfinite(np.delete(all_maps, number, axis=0)).any(axis=0) & np.isfinite(all_maps[number])
        others = np.nanmean(np.delete(all_maps, number, axis=0)[:, counted], axis=0)
        assert one.correlation == pytest.approx(np.corrcoef(all_maps[number][counted], others)[0, 1], abs=1e-10)


def test_the_most_unlike_come_first(tmp_path: Path) -> None:
    common, rest = maps(1)[0], maps(6, seed=1)
    all_maps = [common + 0.3 * one for one in rest]
    all_maps[2], all_maps[4] = -common, rest[4]
    found = summary(write_study(tmp_path, [explained(one) for one in all_maps]))
    assert [one.image.file for one in found.unlike(2)] == ["photos/2.jpg", "photos/4.jpg"]
    for number, one in enumerate(found.seen):
        others = np.delete(np.array(all_maps), number, axis=0).mean(axis=0)
        assert one.correlation == pytest.approx(np.corrcoef(all_maps[number].ravel(), others.ravel())[0, 1])
    table = found.tables(top=2)[2]
    assert [row[0] for row in table.rows] == ["photos/2.jpg", "photos/4.jpg"]


def test_evidence_lies_where_it_was_put(tmp_path: Path) -> None:
    """Of 12 x 18 pixels a place has 4 x 6; one map is red in a corner, the other blue there and red in the middle."""
    first, second = np.zeros((2, *SHAPE))
    first[8:, 12:] = 1.0
    second[8:, 12:] = -0.5
    second[5, 8] = 8.0
    found = summary(write_study(tmp_path, [explained(first), explained(second)]))
    np.testing.assert_allclose(found.places_for, [[0, 0, 0], [0, 0.25, 0], [0, 0, 0.75]])
    np.testing.assert_allclose(found.places_against, [[0, 0, 0], [0, 0, 0], [0, 0, 1]])
    facts = dict(found.facts())
    assert facts["mean map"] == "highest 4 at row 5, column 8, lowest 0 at row 0, column 0"
    assert found.tables()[0].rows[2] == ["bottom", "0.0 %", "0.0 %", "75.0 %", "0.0 %", "0.0 %", "100.0 %"]


def test_classes_are_of_all_targets_the_most_evidence_first(tmp_path: Path) -> None:
    one, two = np.zeros((2, *SHAPE))
    one[0, :9] = 2.0
    two[0, 0] = -6.0
    study = [
        explained([one, two], ("cat", "dog"), base=(0.75, 0.125)),
        explained([3 * one, one], ("cat", "cup"), base=(0.25, 0.0625)),
    ]
    cat, cup, dog = summary(write_study(tmp_path, study)).classes
    pixels = SHAPE[0] * SHAPE[1]
    assert (cat.name, cat.maps, cat.base, cat.highest) == ("cat", 2, 0.5, 4.0)
    assert (cat.evidence_for, cat.evidence_against) == pytest.approx((36 / pixels, 0.0))
    assert (dog.maps, dog.highest) == (1, 0.0)
    assert (dog.evidence_for, dog.evidence_against) == pytest.approx((0.0, 6 / pixels))
    # 18 + 54 of the cat, 18 of the cup, 6 of the dog
    assert [cat.share, cup.share, dog.share] == pytest.approx([72 / 96, 18 / 96, 6 / 96])


def test_another_target_may_count(tmp_path: Path) -> None:
    all_maps = np.array(maps(6)).reshape(3, 2, *SHAPE)
    study = [explained(pair, ("cat", "dog")) for pair in all_maps] + [explained(maps(1)[0])]
    found = summary(write_study(tmp_path, study), target=1)
    np.testing.assert_allclose(found.mean, all_maps[:, 1].mean(axis=0))
    assert found.without == 1
    assert dict(found.facts())["left out"] == "1 without a target 1"
    assert [one.maps for one in found.classes] == [4, 3]
    with pytest.raises(SettingsError, match=r"target 2: no image of .* has one of that number; 0 is the first"):
        summary(tmp_path, target=2)
    with pytest.raises(SettingsError, match="target = -1: want a number from 0"):
        summary(tmp_path, target=-1)


def test_results_that_are_no_use_are_named_and_counted(tmp_path: Path) -> None:
    all_maps = maps(6)
    study = [explained(one) for one in all_maps[:4]]
    study += [explained(all_maps[4][:6]), explained(all_maps[5], unit="activation")]
    write_study(tmp_path, study, failed=["broken.jpg", "worse.jpg"])
    (tmp_path / "1.h5").unlink()
    (tmp_path / "2.h5").write_bytes((tmp_path / "2.h5").read_bytes()[:-50])
    with pytest.warns(InputWarning) as warned:
        found = summary(tmp_path)
    said = [str(one.message) for one in warned]
    assert len(said) == 4
    for text, name in zip(
        said, ("1.h5: no such file", "2.h5: not a whole", "4.h5: its map has 6 x 18", "5.h5: its map")
    ):
        assert name in text
        assert text.endswith("Left out.")
    assert (len(found.seen), found.failed, found.lost) == (2, 2, 4)
    np.testing.assert_allclose(found.mean, (all_maps[0] + all_maps[3]) / 2)
    assert dict(found.facts())["left out"] == "2 failed when the study was made, 4 cannot be used"


def test_an_image_that_failed_twice_or_before_it_did_not_counts_once_or_never(tmp_path: Path) -> None:
    names = ["photos/0.jpg", "broken.jpg", "broken.jpg", "worse.jpg"]
    assert summary(write_study(tmp_path, [explained(one) for one in maps(2)], failed=names)).failed == 2


def test_a_map_alone_is_unlike_no_other(tmp_path: Path) -> None:
    found = summary(write_study(tmp_path, [explained(maps(1)[0])]))
    assert found.unlike() == []
    assert np.isnan(found.spread).all()
    assert "no others that it could be unlike" in "\n".join(found.lines())
    assert [table.title for table in found.tables()] == [
        "Share of all evidence, by place",
        "Classes with most evidence",
    ]


def test_maps_that_are_zero_everywhere(tmp_path: Path) -> None:
    found = summary(write_study(tmp_path, [explained(np.zeros(SHAPE))] * 3))
    assert found.unlike() == []
    assert np.isnan(found.places_for).all()
    assert found.tables()[1].rows == [["cat", "3", "0.5", "0", "0", "0", "-"]]
    json.dumps(found.as_dict(), allow_nan=False)


def test_all_numbers_are_in_the_record(tmp_path: Path) -> None:
    found = summary(write_study(tmp_path, [explained(one) for one in maps(4)], hashes=list("abcd"), failed=["x.jpg"]))
    record = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert [(one["file"], one["sha256"], one["result"]) for one in record["images"]] == [
        (f"photos/{number}.jpg", letter, f"{number}.h5") for number, letter in enumerate("abcd")
    ]
    assert [one["correlation"] for one in record["images"]] == [one.correlation for one in found.seen]
    assert record["mean"]["highest"]["value"] == found.mean.max()
    assert record["mean"]["lowest"]["value"] == found.mean.min()
    assert (record["maps"], record["failed"]) == (4, 1)


def test_the_page_is_known_as_ours_and_holds_what_others_wrote_as_text(tmp_path: Path) -> None:
    label = "a | b\n# <b>title</b>"
    found = summary(write_study(tmp_path, [explained(one, (label,)) for one in maps(2)]))
    (tmp_path / "page.md").write_bytes(found.page())
    refuse(tmp_path / "page.md", ExplanationError)
    lines = found.page().decode().splitlines()
    row = next(line for line in lines if line.startswith("| a "))
    assert row.startswith(r"| a \| b\n# &lt;b>title&lt;/b> | 2 |")
    assert len(re.findall(r"(?<!\\)\|", row)) == 8


def test_memory_does_not_grow_with_the_number_of_maps(tmp_path: Path) -> None:
    shape = (200, 200)
    write_study(tmp_path, [explained(one) for one in maps(2, shape)])
    for number in range(2, 24):
        shutil.copy(tmp_path / f"{number % 2}.h5", tmp_path / f"{number}.h5")
    header, *rows = (tmp_path / "index.csv").read_text().splitlines()
    many = [rows[0].replace("0.", f"{number}.") for number in range(24)]
    peaks = []
    for lines in (many[:4], many):
        (tmp_path / "index.csv").write_text("\r\n".join([header, *lines]) + "\r\n")
        tracemalloc.start()
        assert len(summary(tmp_path).seen) == len(lines)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 5 * 200 * 200 * 8  # twenty maps more, of which not five are kept


def test_how_far_the_reading_is(tmp_path: Path) -> None:
    write_study(tmp_path, [explained(one) for one in maps(3)])
    told: list[tuple[int, int]] = []
    summary(tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told == [(number, 6) for number in range(1, 7)]


def test_what_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(ExplanationError, match=r"nowhere: no such folder\. Give the folder of a study"):
        summary(tmp_path / "nowhere")
    with pytest.raises(ExplanationError, match=r"index\.csv"):
        summary(tmp_path)
    write_study(tmp_path / "empty", [])
    with pytest.raises(ExplanationError, match="the study says nothing, since there are no images in it"):
        summary(tmp_path / "empty")
    write_study(tmp_path / "failed", [], failed=["a.jpg", "b.jpg"])
    with pytest.raises(ExplanationError, match="says nothing, since each of its 2 images failed"):
        summary(tmp_path / "failed")
    write_study(tmp_path / "lost", [explained(one) for one in maps(2)])
    for number in range(2):
        (tmp_path / "lost" / f"{number}.h5").write_text("nothing")
    with pytest.warns(InputWarning), pytest.raises(ExplanationError, match="none of its 2 results can be used"):
        summary(tmp_path / "lost")
    (tmp_path / "lost" / "index.csv").write_text("a,b\r\n1,2\r\n")
    with pytest.raises(ExplanationError, match=r"index\.csv"):
        summary(tmp_path / "lost")


def test_an_index_names_no_file_outside_the_folder(tmp_path: Path) -> None:
    write_study(tmp_path / "a", [explained(one) for one in maps(2)])
    index = tmp_path / "a" / "index.csv"
    index.write_text(index.read_text().replace(",0.h5,", ",../b/0.h5,"))
    with pytest.raises(ExplanationError, match="line 2 is no row of a study's index"):
        summary(tmp_path / "a")
