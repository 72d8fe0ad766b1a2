"""Pages and their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.textpath import TextToPath

from predicdiff.errors import ExplanationError, SettingsError
from predicdiff.plotting import save_figure
from predicdiff.plotting.sheet import Sheet, ramp, styled, wrap

KINDS = {"png": b"\x89PNG\r\n", "pdf": b"%PDF-", "svg": b"<?xml"}


def page() -> Sheet:
    with styled():
        sheet = Sheet(3.0, 2.0)
        sheet.image(np.zeros((4, 6, 3), np.uint8), (0.5, 0.5, 1.0, 1.0))
        sheet.bar(0.3, "bits", (1.8, 0.5, 0.1, 1.0))
        sheet.text(0.5, 0.1, "tabby\n$ a ^ b $", 9.0)
    return sheet


@pytest.mark.parametrize("kind", [*KINDS, "PNG"])
def test_the_ending_says_which_kind_of_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "folder" / f"figure.{kind}"
    assert save_figure(page().figure, path) == path
    assert path.read_bytes().startswith(KINDS[kind.lower()])
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_figure_gives_the_same_bytes(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = save_figure(page().figure, tmp_path / f"first.{kind}").read_bytes()
    for setting, value in (("axes.grid", True), ("font.size", 30.0), ("figure.facecolor", "black")):
        monkeypatch.setitem(matplotlib.rcParams, setting, value)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "123456789")
    assert save_figure(page().figure, tmp_path / f"second.{kind}").read_bytes() == first
    assert b"Date" not in first
    assert b"dc:date" not in first


def test_settings_of_matplotlib_are_left_alone(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    save_figure(page().figure, tmp_path / "figure.svg")
    assert dict(matplotlib.rcParams) == before


def test_dots_an_inch_set_the_size(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    with image.open(save_figure(page().figure, tmp_path / "figure.png", dpi=40)) as file:
        assert file.size == (120, 80)


@pytest.mark.parametrize("name", ["figure.jpg", "figure", "figure.png.gz"])
def test_another_ending_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"ends in \.png, \.pdf, \.svg, not"):
        save_figure(page().figure, tmp_path / name)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("dpi", [0, -5, float("nan"), float("inf"), 1e5])
def test_dots_an_inch_out_of_range_are_refused(dpi: float, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"want 1 to \d+ for this figure of 3.0 x 2.0 inches"):
        save_figure(page().figure, tmp_path / "figure.png", dpi=dpi)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ExplanationError, match=r"figure\.png: cannot be written"):
        save_figure(page().figure, tmp_path / "file" / "figure.png")


def test_boxes_are_measured_from_the_top_left() -> None:
    place = page().figure.axes[0].get_position(original=True)
    np.testing.assert_allclose([place.x0, place.y0, place.width, place.height], [1 / 6, 1 / 4, 1 / 3, 1 / 2])


def test_the_bars_colours_go_from_against_below_to_for_on_top() -> None:
    colours = ramp(5)[:, 0].tolist()
    assert colours[0] == [128, 0, 0]
    assert colours[2] == [255, 255, 255]
    assert colours[4] == [0, 0, 76]
    axes = page().figure.axes[1]
    assert axes.get_ylim() == (-0.3, 0.3)
    assert list(axes.images[0].get_extent()) == [0, 1, -0.3, 0.3]
    assert axes.images[0].origin == "upper"


@pytest.mark.parametrize("scale", [1e-17, 3e-5, 0.21, 1.0, 70.0, 123456.0])
def test_ticks_are_round_symmetric_and_within_the_bar(scale: float) -> None:
    sheet = Sheet(3.0, 2.0)
    sheet.bar(scale, "bits", (1.0, 0.5, 0.1, 1.0))
    ticks = np.array(sheet.figure.axes[0].get_yticks())
    assert 3 <= len(ticks) <= 9
    assert np.abs(ticks).max() <= scale
    np.testing.assert_allclose(ticks, -ticks[::-1], atol=scale * 1e-9)


def test_lines_are_broken_between_words() -> None:
    text = "soft-coated wheaten terrier"
    assert wrap(text, 9.0, 9.0) == text
    lines = wrap(text, 1.1, 9.0).split("\n")
    assert len(lines) > 1
    assert " ".join(lines) == text


def test_a_word_too_long_is_broken_and_a_number_stays_with_its_name() -> None:
    lines = wrap("a" * 50, 1.0, 9.0).split("\n")
    assert len(lines) > 1
    assert "".join(lines) == "a" * 50
    assert all(not line.endswith(("=", "p")) for line in wrap("Egyptian cat, p = 0.5", 1.0, 9.0).split("\n"))
    assert wrap("", 1.0, 9.0) == ""
    assert wrap("x\n\ny", 1.0, 9.0) == "x\n\ny"


def test_long_text_without_spaces_is_measured_a_few_times_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []
    measure = TextToPath.get_text_width_height_descent

    def counted(self: TextToPath, text: str, *how: Any) -> Any:
        measured.append(len(text))
        return measure(self, text, *how)

    monkeypatch.setattr(TextToPath, "get_text_width_height_descent", counted)
    lines = wrap("a" * 1000, 2.0, 9.0).split("\n")
    assert "".join(lines) == "a" * 1000
    assert len(measured) <= 12 * len(lines)  # halving takes ten, and two more ask whether all of it fits
    assert len(wrap("a\n" * 200, 2.0, 9.0).split("\n")) == 100
    assert wrap("a" * 10**6, 2.0, 9.0).replace("\n", "").count("a") < 4000


def test_what_no_file_can_hold_is_escaped() -> None:
    assert wrap("a\x01b \ud800", 2.0, 9.0) == "a\\x01b \\ud800"


def test_what_the_font_has_no_glyph_for_is_escaped(tmp_path: Path) -> None:
    """Matplotlib draws an empty box for it, and warns."""
    sheet, text = Sheet(3.0, 2.0), "B\u00e4r \u4e2d\u6587 $ \N{NO-BREAK SPACE}"
    for weight in ("normal", "bold"):
        assert wrap(text, 3.0, 9.0, weight).replace("\n", "") == "B\u00e4r \\u4e2d\\u6587 $ \N{NO-BREAK SPACE}"
        sheet.text(0.5, 0.5, text, 9.0, weight=weight)
    save_figure(sheet.figure, tmp_path / "figure.png")


def test_wrapped_lines_are_no_wider_than_told() -> None:
    sheet, width = Sheet(5.0, 3.0), 1.3
    sheet.text(
        0.5, 0.5, wrap("American Staffordshire terrier, Staffordshire terrier, WWWWWWWWWWWWWWWW", width, 9.0), 9.0
    )
    renderer = sheet.figure.canvas.get_renderer()
    widths = [text.get_window_extent(renderer).width / sheet.figure.dpi for text in sheet.figure.texts]
    assert len(widths) > 2
    assert max(widths) <= width + 0.03
