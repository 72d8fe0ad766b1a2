"""`predicdiff show`: a result in words and as a picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from predicdiff.budget import size
from predicdiff.cli.show import setting_lines
from predicdiff.cli.summaries import target_lines
from predicdiff.explanation import Explanation, Target
from predicdiff.images import View
from predicdiff.plotting import figure
from predicdiff.plotting.sheet import render


@pytest.fixture
def explanation(tmp_path, photographs):
    """A result of two targets, saved as a.h5."""
    image = np.kron(photographs[0], np.ones((2, 2, 1), np.uint8))
    rows = np.linspace(-1, 2, 24)[:, None] * np.ones((24, 24))
    explanation = Explanation(
        relevance=np.stack([rows, rows.T / 10]),
        stderr=np.full((2, 24, 24), 0.25),
        targets=[Target("prob", [1], "dog"), Target("prob", [3], "prob[3]", "pig")],
        base=np.array([0.75, 0.125]),
        pixels=View("crop").apply(image, (24, 24)),
        unit="bits",
        settings={
            "window": 4, "stride": 2, "samples": 5, "seed": 9, "measure": "evidence",
            "training_instances": 77, "classes": 5,
        },
        provenance={
            "net": {"name": "tiny", "engine": "torch", "weights": "sha1:0123456789abcdef0123456789abcdef01234567"},
            "sampler": "Own",
            "seconds": 100.0,
            "windows_before": 1234,
            "batch_size": 16,
            "versions": {"predicdiff": "1", "python": "3"},
        },
        notes=["Mind the gap."],
        image=image,
        frame=View("crop").frame((48, 48), (24, 24)),
    )  # fmt: skip
    explanation.save(tmp_path / "a.h5")
    return explanation


def test_the_summary(cli, explanation):
    result = cli("show", "a.h5")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "0: dog (prob[1]), p = 0.75: from -1 to 2 bits, standard error 0.25",
        "1: prob[3] rather than pig (prob[3]), p = 0.125: from -0.1 to 0.2 bits, standard error 0.25",
        "windows        4 x 4, stride 2",
        "draws          5 each, seed 9",
        "measure        evidence, Laplace's correction with N = 77, K = 5",
        "net            name tiny, engine torch, weights sha1:0123456...",
        "preprocessing  -",
        "sampler        Own",
        "took           about 2 minutes after 1,234 windows of an interrupted run, batches of 16",
        "versions       predicdiff 1, python 3",
        "Note: Mind the gap.",
    ]


def test_a_result_of_unknown_origin(explanation):
    bare = replace(
        explanation, stderr=np.full((2, 24, 24), np.nan), unit="activation", settings={}, provenance={}, notes=[]
    )
    assert target_lines(bare)[0] == (
        "0: dog (prob[1]), value = 0.75: from -1 to 2 in activation, standard error unknown"
    )
    assert setting_lines(bare)[0] == "windows        None, stride None"


@pytest.mark.parametrize("name", ["a.png", "new/a.pdf", "a.svg"])
def test_it_draws(cli, explanation, tmp_path, name):
    result = cli("show", "a.h5", "-o", name)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == f"Wrote {name}."
    start = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[name[-3:]]
    assert (tmp_path / name).read_bytes().startswith(start)


def test_each_way_of_drawing_changes_the_picture(cli, explanation, tmp_path):
    ways = [
        [], ["--target", 1], ["--on-image"], ["--sure"], ["--scale", "shared"], ["--scale", "1.5"],
        ["--cmap", "okabe"], ["--cmap", "vik"], ["--title", "A dog"],
    ]  # fmt: skip
    pictures = []
    for way in ways:
        assert cli("show", "a.h5", "-o", "a.png", *way).exit_code == 0
        with Image.open(tmp_path / "a.png") as picture:
            pictures.append((picture.size, picture.tobytes()))
    assert len(set(pictures)) == len(ways)


@pytest.fixture
def other(explanation, tmp_path):
    """Another result, half as strong, saved as other/a.h5."""
    (tmp_path / "other").mkdir()
    weaker = replace(explanation, relevance=explanation.relevance / 2, notes=[])
    weaker.save(tmp_path / "other" / "a.h5")
    return weaker


def test_several_results_are_told_one_after_the_other_and_drawn_on_one_page(cli, explanation, other, tmp_path):
    alone = cli("show", "a.h5").output.splitlines()
    result = cli("show", "a.h5", "other/a.h5", "-o", "both.svg", "--target", 0, "--scale", "shared", "--cmap", "okabe")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[: len(alone) + 2] == ["a.h5:", *alone, "other/a.h5:"]
    assert lines[-1] == "Wrote both.svg."
    same = figure(
        [explanation, other], targets=[0], scale="shared", cmap="okabe", names=["a.h5", str(Path("other", "a.h5"))]
    )
    assert (tmp_path / "both.svg").read_bytes() == render(same, "svg", 150)


def test_names_of_results_are_those_of_their_files(cli, explanation, tmp_path):
    explanation.save(tmp_path / "b.h5")
    assert cli("show", "a.h5", "b.h5", "-o", "both.svg").exit_code == 0
    same = figure([explanation, explanation], names=["a", "b"])
    assert (tmp_path / "both.svg").read_bytes() == render(same, "svg", 150)


def test_no_result_is_written_over(refused, cli, explanation, other, tmp_path):
    (tmp_path / "b.png").write_bytes((tmp_path / "a.h5").read_bytes())
    assert "read and written" in refused("show", "a.h5", "b.png", "-o", "b.png")
    assert "damaged.h5: " in refused("show", "a.h5", "damaged.h5")


def test_what_cannot_be_drawn(refused, explanation, tmp_path):
    for way in (
        ["--target", 0], ["--on-image"], ["--sure"], ["--scale", "shared"], ["--cmap", "vik"], ["--title", "x"],
    ):  # fmt: skip
        assert "say which file to draw into with -o" in refused("show", "a.h5", *way)
    assert "target 2 is out of range" in refused("show", "a.h5", "-o", "a.png", "--target", 2)
    for scale in ("both", "0", "-1", "nan", "inf"):
        assert "want own, shared, or a number above 0 such as 2.5" in refused(
            "show", "a.h5", "-o", "a.png", "--scale", scale
        )
    assert "want a name that ends in" in refused("show", "a.h5", "-o", "a.h5")
    assert "no folder" in refused("show", "a.h5", "-o", "a.h5/a.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5"]


def test_it_writes_a_page(cli, refused, explanation, tmp_path):
    result = cli(
        "show", "a.h5", "--html", "new/a.html", "-o", "a.png", "--cmap", "vik", "--target", 1, "--title", "Pigs"
    )
    assert result.exit_code == 0, result.output
    content = (tmp_path / "new" / "a.html").read_bytes()
    assert result.output.splitlines()[-2:] == ["Wrote a.png.", f"Wrote new/a.html ({size(len(content))})."]
    assert b"<title>Pigs</title>" in content
    assert b'"cmap":"vik"' in content
    assert b"prob[3] rather than pig" in content
    assert b'"title":"dog"' not in content
    cli("show", "a.h5", "--html", "new/a.html")
    content = (tmp_path / "new" / "a.html").read_bytes()
    assert b"<title>a</title>" in content
    assert b'"title":"dog"' in content


def test_it_writes_a_page_of_several(cli, explanation, tmp_path):
    explanation.save(tmp_path / "b.h5")
    assert cli("show", "a.h5", "b.h5", "--html", "ab.htm").exit_code == 0
    assert b"<title>a, b</title>" in (tmp_path / "ab.htm").read_bytes()


def test_what_no_page_is_made_of(refused, explanation, tmp_path):
    assert "--on-image goes with -o" in refused("show", "a.h5", "--html", "a.html", "--on-image")
    assert "want a name that ends in .html or .htm" in refused("show", "a.h5", "--html", "a.png")
    assert "target 2 is out of range" in refused("show", "a.h5", "--html", "a.html", "--target", 2)
    (tmp_path / "mine.html").write_text("<!doctype html>")
    assert "mine.html: a page stands there" in refused("show", "a.h5", "--html", "mine.html")
    (tmp_path / "no.h5").write_text("no result")
    assert "no.h5: not a whole explanation" in refused("show", "a.h5", "no.h5", "--html", "a.html")
    assert not (tmp_path / "a.html").exists()


def test_files_that_are_damaged(refused, explanation, tmp_path):
    content = (tmp_path / "a.h5").read_bytes()
    for end in (0, 100, len(content) // 2, len(content) - 1):
        (tmp_path / "cut.h5").write_bytes(content[:end])
        assert "cut.h5: " in refused("show", "cut.h5")
