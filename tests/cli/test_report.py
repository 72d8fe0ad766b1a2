"""`predicdiff report`: a study as a page."""

from __future__ import annotations

import pytest

from predicdiff.budget import size


@pytest.fixture
def study(cli, net, few, folder):
    """A study of three images, and of one that is none."""
    (few / "no.png").write_text("no image")
    where = ["--sampler", "marginal", "--corpus", folder, "-k", 8, "-S", 2, "--stride", 8, "-o", "study/", "-q"]
    assert cli("explain", few, *net, *where).exit_code == 2


def test_it_writes_a_page(cli, study, tmp_path):
    result = cli("report", "study")
    assert result.exit_code == 0, result.output
    content = (tmp_path / "out" / "study.html").read_bytes()
    assert result.output == f"Wrote out/study.html ({size(len(content))}).\n"
    for text in (b"<title>Study study</title>", b"few/0.png", b"no.png: ", b"In the small maps red speaks"):
        assert text in content


def test_it_writes_a_page_of_each_image(cli, study, tmp_path):
    result = cli("report", "study/", "-o", "a/all.html", "--pages", "--cmap", "vik")
    assert result.output.endswith(", and 3 files into a/all_files.\n")
    assert b'"cmap":"vik"' in (tmp_path / "a" / "all_files" / "1.html").read_bytes()
    assert cli("report", "study/", "-o", "a/all.html", "-q").output == ""


def test_what_is_wrong_with_a_result_is_said(cli, study, tmp_path):
    (tmp_path / "study" / "0.h5").write_bytes(b"none")
    result = cli("report", "study", "-o", "a.html")
    assert result.exit_code == 0
    assert "Warning: study/0.h5: not a whole explanation" in result.output


def test_what_no_report_is_made_of(refused, few, tmp_path):
    assert "few/index.csv: no such file. Want the folder of a study" in refused("report", "few")
    assert "none: no such folder. Give the folder of a study." in refused("report", "none")
    assert "few/0.png: no such folder" in refused("report", "few/0.png")
    assert "want a name that ends in .html" in refused("report", "few", "-o", "a.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["few"]
