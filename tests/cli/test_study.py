"""`predicdiff study`."""

from __future__ import annotations

import json

import pytest
from helpers.small_studies import explained, maps, write_study
from PIL import Image

from predicdiff.images import load_image
from predicdiff.studies.overview.agreement import agreement
from predicdiff.studies.overview.summary import summary


@pytest.fixture
def study(tmp_path):
    """Four images of two targets each, one of which failed."""
    pairs = [explained(maps(2, seed=seed), ("cat", f"class {seed}")) for seed in range(4)]
    return write_study(tmp_path / "one", pairs, failed=["broken.jpg"])


@pytest.fixture
def other(tmp_path):
    """The same images by another net."""
    return write_study(tmp_path / "two", [explained(maps(1, seed=seed)[0] ** 3, net="b") for seed in range(4)])


def test_a_study_as_from_python(cli, study):
    result = cli("study", study, "--top", 2)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [*summary(study).lines(2), "", f"Wrote {study / 'study.png'}."]
    assert load_image(study / "study.png").shape[2] == 3


def test_another_target(cli, study):
    assert "\n".join(summary(study, target=1).lines()) in cli("study", study, "--target", 1).output


def test_two_studies_as_from_python(cli, study, other, tmp_path):
    result = cli("study", study, other, "--table", "both.json")
    assert result.exit_code == 0, result.output
    found = agreement(study, other)
    assert result.output.splitlines() == [*found.lines(), "", f"Wrote {study / 'agreement.png'} and both.json."]
    record = json.loads((tmp_path / "both.json").read_text())
    assert record["figures"]["pearson"]["mean"]["value"] == found.mean("pearson").value
    assert load_image(study / "agreement.png").shape[2] == 3


@pytest.mark.parametrize("ending", ["md", "json"])
def test_what_was_written_is_written_again_and_the_same(cli, study, tmp_path, ending):
    table = tmp_path / f"table.{ending}"
    written = []
    for _ in range(2):
        assert cli("study", study, "--table", table, "-o", "figure.svg").exit_code == 0
        written.append(((tmp_path / "figure.svg").read_bytes(), table.read_bytes()))
    assert written[0] == written[1]
    found = summary(study)
    if ending == "md":
        assert table.read_bytes() == found.page()
    else:
        assert json.loads(table.read_text())["images"] == found.as_dict()["images"]


def test_quiet_says_nothing(cli, study):
    result = cli("study", study, "-q")
    assert (result.exit_code, result.output) == (0, "")
    assert (study / "study.png").exists()


def test_results_left_out_are_named_counted_and_make_the_exit_status_say_so(cli, study):
    (study / "2.h5").write_bytes(b"cut")
    (study / "3.h5").unlink()
    result = cli("study", study)
    assert result.exit_code == 2
    for name in ("2.h5", "3.h5"):
        assert f"Warning: {study / name}: " in result.output
    assert "2 maps of 12 x 18" in result.output
    assert "Error: 2 of the results could not be used: they are named above" in result.output.splitlines()[-1]
    assert (study / "study.png").exists()


def test_results_of_the_study_are_not_overwritten(refused, study):
    (study / "0.h5").rename(study / "study.h5")
    index = study / "index.csv"
    index.write_text(index.read_text().replace(",0.h5,", ",study.h5,"))
    Image.new("RGB", (4, 4)).save(study / "study.png")
    assert "would be both read and written" in refused("study", study)


def test_what_is_not_ours_is_not_overwritten(refused, study, tmp_path):
    Image.new("RGB", (4, 4)).save(study / "study.png")
    before = (study / "study.png").read_bytes()
    assert "a PNG picture stands there that predicdiff did not write" in refused("study", study)
    (tmp_path / "notes.md").write_text("mine")
    assert "a file stands there" in refused("study", study, "-o", "a.png", "--table", "notes.md")
    assert (study / "study.png").read_bytes() == before
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such folder. Give the folder of a study."),
        (["."], "index.csv"),
        (["{0}", "nowhere"], "nowhere: no such folder"),
        (["{0}", "--target", "5"], "target 5: no image of"),
        (["{0}", "-o", "a.jpg"], "want a name that ends in"),
        (["{0}", "--table", "a.csv"], "want a name that ends in .md or .json"),
        (["{0}", "--top", "0"], "Invalid value for"),
        (["{0}/index.csv"], "index.csv: no such folder"),
        (["empty"], "the study says nothing, since there are no images in it"),
        (["{0}", "elsewhere"], "have no image in common"),
    ],
)
def test_what_is_no_study(refused, study, tmp_path, arguments, message):
    write_study(tmp_path / "empty", [])
    write_study(tmp_path / "elsewhere", [explained(maps(1)[0])], names=["another.jpg"])
    before = set(tmp_path.rglob("*"))
    assert message in refused("study", *(word.format(study) for word in arguments))
    assert set(tmp_path.rglob("*")) == before
