"""The page of results, opened from its file in a real browser, and held against what the files hold."""

from __future__ import annotations

import re
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from helpers.browser import Browser
from helpers.places import PACKAGE
from helpers.results import made

from predicdiff import windows
from predicdiff.errors import ExplanationError, SettingsError
from predicdiff.explanation import Explanation, Target
from predicdiff.overlays import heat, overlay, picture
from predicdiff.page import maps_page, save_page
from predicdiff.page.maps import Look
from predicdiff.palettes import COLOUR_MAPS

Open = Callable[..., Browser]
HOSTILE = "</script><img src=x onerror='window.harmed = true'><!-- \u2028 &lt;b&gt; \u202e\x1b[31m"
#: The picture comes first, then a map for each target.
FIRST, SECOND = 1, 2


def readout(browser: Browser, panel: int) -> dict[str, str]:
    """What stands below a map, by name."""
    names, values = (browser.texts(f"{in_panel(panel)} .readout {tag}") for tag in ("dt", "dd"))
    return dict(zip(names, values))


def in_panel(panel: int) -> str:
    return f".result:first-child .panel:nth-child({panel + 1})"


def numbers(text: str) -> list[float]:
    """The numbers in a text."""
    found = re.findall(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", text.replace("\N{MINUS SIGN}", "-"))
    return [float(number) for number in found]


def place(browser: Browser, panel: int = FIRST) -> tuple[int, ...]:
    return tuple(map(int, numbers(readout(browser, panel)["Pixel"])))


def agrees(text: str, value: float) -> bool:
    """Whether the first number of a text is the value to its four digits."""
    return numbers(text)[0] == pytest.approx(value, rel=6e-4)


def canvas(panel: int) -> str:
    return f"{in_panel(panel)} .frame canvas"


def drawn(browser: Browser, panel: int) -> np.ndarray:
    """What a canvas shows, (H, W, 3)."""
    values = browser.run(
        f"(() => {{ const one = document.querySelector('{canvas(panel)}'); const {{width, height}} = one; "
        "const copy = new OffscreenCanvas(width, height).getContext('2d', {willReadFrequently: true}); "
        "copy.drawImage(one, 0, 0); return [width, height, ...copy.getImageData(0, 0, width, height).data]; })()"
    )
    return np.array(values[2:]).reshape(values[1], values[0], 4)[..., :3]


def point(browser: Browser, row: int, column: int, kind: str = "move", panel: int = FIRST) -> None:
    """Move the mouse to, or click at, the middle of a pixel of a map of 12 x 18."""
    browser.mouse(kind, canvas(panel), (column + 0.5) / 18, (row + 0.5) / 12)


def of_windows() -> Explanation:
    """Maps that were averaged of the evidence of windows of 3 x 4."""
    origins = windows.grid((12, 18), window=(3, 4))
    values = np.random.default_rng(5).normal(size=(len(origins), 2))
    relevance = windows.spread(values, origins, window=(3, 4), shape=(12, 18))
    return made(relevance=relevance, stderr=np.full((2, 12, 18), 0.1))


# what is read off


def test_under_the_mouse_stand_the_files_numbers_in_all_maps(opened: Open) -> None:
    result = made()
    browser = opened(result)
    for row, column in ((2, 13), (11, 0), (7, 17)):
        point(browser, row, column)
        for panel, number in ((FIRST, 0), (SECOND, 1)):
            told = readout(browser, panel)
            assert place(browser, panel) == (row, column)
            assert agrees(told["Relevance"], result.relevance[number, row, column])
            assert agrees(told["Standard error"], result.stderr[number, row, column])
            assert ("for (red)" in told["Relevance"]) == (result.relevance[number, row, column] > 0)


def test_at_first_the_strongest_pixel_is_told(opened: Open) -> None:
    browser = opened(made())
    assert place(browser) == (2, 13)
    assert readout(browser, FIRST)["Relevance"] == "+2.5 bits for (red)"


def test_what_no_window_covers_is_not_known(opened: Open) -> None:
    browser = opened(made())
    point(browser, 0, 0)
    assert readout(browser, FIRST) == {
        "Pixel": "row 0, column 0",
        "Relevance": "not known",
        "Standard error": "unknown",
    }


def test_the_window_that_matters_most_is_that_of_the_largest_evidence_that_covers_the_pixel(opened: Open) -> None:
    origins = windows.grid((12, 18), window=(3, 4))
    values = np.random.default_rng(5).normal(size=(len(origins), 2))
    browser = opened(of_windows())
    for row, column in ((0, 0), (5, 9), (11, 17)):
        point(browser, row, column)
        covers = ((origins <= (row, column)) & (np.array((row, column)) < origins + (3, 4))).all(axis=1)
        for panel, number in ((FIRST, 0), (SECOND, 1)):
            best = max(np.flatnonzero(covers), key=lambda one: abs(values[one, number]))
            told, (top, left) = readout(browser, panel), origins[best]
            assert agrees(told["Window that matters most"], values[best, number])
            assert told["Its place"] == f"rows {top} to {top + 2}, columns {left} to {left + 3}"
    outline = browser.run(
        f"(({{left, top}}) => [left, top])(document.querySelector('{in_panel(SECOND)} .window').style)"
    )
    assert [float(part.rstrip("%")) for part in outline] == pytest.approx([100 * left / 18, 100 * top / 12], abs=1e-3)


def test_where_the_file_tells_of_no_windows_the_mean_around_is_called_that(opened: Open) -> None:
    result = made()
    browser = opened(result)
    point(browser, 6, 9)
    told = readout(browser, FIRST)
    assert "Window that matters most" not in told
    assert agrees(told["Mean relevance around it"], result.relevance[0, 5:8, 7:11].mean())
    assert told["Its place"] == "rows 5 to 7, columns 7 to 10"


def test_errors_of_interpolation_and_segments_are_told(opened: Open) -> None:
    lost = np.random.default_rng(1).uniform(0.1, 0.2, (2, 12, 18))
    segments = np.arange(12 * 18).reshape(12, 18) // 6
    browser = opened(made(interpolation_error=lost, reliability=np.array([0.98765, 0.5]), segments=segments))
    point(browser, 3, 4)
    assert agrees(readout(browser, SECOND)["Interpolation error"], lost[1, 3, 4])
    assert readout(browser, FIRST)["Segment"] == f"number {segments[3, 4]}, of 6 pixels"
    assert "reliability 0.987" in browser.text(f"{in_panel(FIRST)} .heading")


def test_a_hidden_blobs_map_is_read_in_its_own_rows(opened: Open) -> None:
    pixels = np.zeros((3, 48, 72), np.float32)
    result = made(pixels=pixels)
    browser = opened(result)
    point(browser, 9, 4)
    assert place(browser) == (9, 4)
    assert agrees(readout(browser, SECOND)["Relevance"], -4.25)


# keyboard, clicks, typing


def test_arrow_keys_move_and_are_said_aloud(opened: Open) -> None:
    result = made()
    browser = opened(result)
    browser.run(f"document.querySelector('{canvas(SECOND)}').focus()")
    browser.press("ArrowLeft", 3)
    browser.press("ArrowDown", 2)
    assert place(browser) == place(browser, SECOND) == (4, 10)
    said = browser.text("#said")
    assert said.startswith("dog rather than cat. Pixel: row 4, column 10. Relevance: ")
    assert agrees(said.partition("Relevance: ")[2], result.relevance[1, 4, 10])
    browser.press("ArrowRight", shift=True)
    browser.press("ArrowUp", 9)
    assert place(browser) == (0, 17)  # no further than the border
    assert browser.run("[row.value, column.value]") == ["0", "17"]


def test_a_place_that_was_clicked_stays_when_the_mouse_leaves(opened: Open) -> None:
    browser = opened(made())
    point(browser, 5, 6, "click")
    point(browser, 1, 1)
    assert place(browser) == (1, 1)
    browser.mouse("move", "#title")
    assert place(browser) == (5, 6)


def test_rows_and_columns_can_be_typed(opened: Open) -> None:
    result = made()
    browser = opened(result)
    browser.type_into("#row", "9")
    browser.type_into("#column", "4")
    assert place(browser) == (9, 4)
    assert agrees(readout(browser, SECOND)["Relevance"], -4.25)
    browser.type_into("#row", "99")
    assert place(browser) == (9, 4)  # there is no such row


def test_buttons_go_to_the_ends(opened: Open) -> None:
    browser = opened(made())
    browser.mouse("click", f"{in_panel(SECOND)} .ends button:nth-child(2)")
    assert place(browser, SECOND) == (9, 4)
    assert "\N{MINUS SIGN}4.25 bits against (blue)" in browser.text("#said")


def test_pointers_can_be_let_go_of_each_other(opened: Open) -> None:
    browser = opened(made())
    browser.mouse("click", "#linked")
    point(browser, 7, 3, panel=SECOND)
    assert (place(browser, FIRST), place(browser, SECOND)) == ((2, 13), (7, 3))


# how it is drawn


@pytest.mark.parametrize("palette", COLOUR_MAPS)
def test_maps_are_drawn_as_pictures_are(opened: Open, palette: str) -> None:
    result = made()
    browser = opened(result)
    browser.choose("#palette", palette)
    seen = picture(result.pixels, tones=result.tones)
    assert np.abs(drawn(browser, 0) - seen).max() == 0
    for panel, number in ((FIRST, 0), (SECOND, 1)):
        wanted = overlay(result.relevance[number], seen, cmap=palette).astype(int)
        assert np.abs(drawn(browser, panel) - wanted).max() <= 2
    browser.choose("#ground", "none")
    assert np.abs(drawn(browser, FIRST) - heat(result.relevance[0], cmap=palette).astype(int)).max() <= 1
    label = browser.run(f"document.querySelector('{canvas(FIRST)}').getAttribute('aria-label')")
    one = COLOUR_MAPS[palette]
    assert f"for tabby in {one.positive}, against it in {one.negative}" in label
    assert "+2.5 bits at row 2, column 13" in label
    assert one.positive in browser.text("#words")


@pytest.mark.parametrize("times", [1, 2, 3])
def test_the_threshold_hides_what_it_says(opened: Open, times: int) -> None:
    lost = np.where(np.arange(18) % 2, np.nan, 0.1) * np.ones((2, 12, 1))
    result = made(interpolation_error=lost, stderr=made().stderr / 4)
    browser = opened(result)
    browser.choose("#hidden", str(times))
    error = np.hypot(result.stderr[0], np.nan_to_num(lost[0]))
    hide = ~(np.abs(result.relevance[0]) >= times * error)
    assert 20 < hide.sum() < 200
    seen = picture(result.pixels, tones=result.tones)
    wanted = overlay(result.relevance[0], seen, hide=hide).astype(int)
    assert np.abs(drawn(browser, FIRST) - wanted).max() <= 2
    assert f"within {times} error{'s' * (times > 1)} of zero is left clear" in browser.text("#words")


def test_scales_are_own_shared_or_a_number(opened: Open) -> None:
    result = made()
    browser = opened(result)
    seen = picture(result.pixels, tones=result.tones)

    def is_drawn_at(scale: float) -> bool:
        wanted = overlay(result.relevance[0], seen, scale=scale).astype(int)
        legend = numbers(browser.text(f"{in_panel(FIRST)} .legend"))
        return bool(np.abs(drawn(browser, FIRST) - wanted).max() <= 2) and legend == [-scale, scale]

    assert is_drawn_at(2.5)
    browser.choose("#scale", "shared")
    assert is_drawn_at(4.25)
    assert "or more" not in browser.text(".legend")
    browser.choose("#scale", "number")
    assert is_drawn_at(2.5)  # until there is a number
    browser.type_into("#full", "1.25")
    assert is_drawn_at(1.25)
    legend = browser.text(f"{in_panel(FIRST)} .legend")
    assert ("or more," in legend) is bool(np.nanmax(result.relevance[0]) > 1.25)
    assert ("or less," in legend) is bool(np.nanmin(result.relevance[0]) < -1.25)


def test_bits_and_activations_share_no_scale(opened: Open) -> None:
    other = made(unit="activation", relevance=100 * made().relevance, base=np.array([12.5, 3.0]))
    browser = opened(made(), other, look=Look(scale="shared"))
    told = [numbers(text) for text in browser.texts(".legend")]
    assert told == [[-4.25, 4.25], [-4.25, 4.25], [-425.0, 425.0], [-425.0, 425.0]]


def test_opacity_mixes_with_the_picture(opened: Open) -> None:
    result = made()
    browser = opened(result)
    browser.choose("#opacity", "0")
    seen = picture(result.pixels, tones=result.tones)
    assert np.abs(drawn(browser, FIRST) - overlay(np.zeros((12, 18)), seen).astype(int)).max() <= 1
    assert browser.text("#opacity-told") == "0%"
    browser.choose("#ground", "colour")
    assert np.abs(drawn(browser, FIRST) - seen.astype(int)).max() == 0


def test_how_it_begins_is_asked_for(opened: Open) -> None:
    browser = opened(made(), look=Look(sure=True, scale=3.5, cmap="vik"), title="Cats & dogs", targets=[1])
    assert browser.run("[...document.forms[0].elements].map((one) => one.value).slice(1, 6)") == [
        "100%", "2", "number", "3.5", "vik",
    ]  # fmt: skip
    assert browser.text("h1") == browser.run("document.title") == "Cats & dogs"
    assert browser.texts(".panel h2") == ["What the net sees", "dog rather than cat"]


def test_results_of_other_sizes_stand_side_by_side(opened: Open) -> None:
    draw = np.random.default_rng(2)
    other = made(
        relevance=draw.normal(size=(1, 6, 6)), stderr=np.full((1, 6, 6), np.nan), targets=[Target("fc", [1], "fc[1]")],
        base=np.array([7.0]), pixels=np.zeros((1, 6, 6), np.float32), unit="activation",
        settings={}, provenance={}, notes=[],
    )  # fmt: skip
    browser = opened(made(), other)
    assert browser.texts("h2") == ["0", "1"]
    point(browser, 10, 16)
    told = readout(browser, 1)
    assert told["Pixel"] == "row 10, column 16"
    last = dict(zip(*(browser.texts(f".result:nth-child(2) .readout {tag}") for tag in ("dt", "dd"))))
    assert last["Pixel"] == "row 5, column 5"
    assert agrees(last["Relevance"], other.relevance[0, 5, 5])
    assert last["Standard error"] == "unknown: one draw a window"


def test_the_threshold_is_off_where_errors_are_unknown(opened: Open) -> None:
    browser = opened(made(stderr=np.full((2, 12, 18), np.nan)))
    assert browser.run("document.getElementById('hidden').disabled")


# what came from files


def test_names_are_text_wherever_they_come_from(opened: Open) -> None:
    hostile = made(
        targets=[Target(HOSTILE, [1], HOSTILE, HOSTILE), Target("prob", [2], "{{data}} {{style}}")],
        settings={HOSTILE: HOSTILE, "window": HOSTILE, "stride": [HOSTILE]},
        provenance={"net": {"name": HOSTILE}, "sampler": HOSTILE, HOSTILE: {HOSTILE: [HOSTILE]}},
        notes=[HOSTILE],
    )
    browser = opened(hostile, title=HOSTILE)
    assert browser.run("window.harmed") is None
    assert browser.run("document.querySelectorAll('img').length") == 0
    as_text = "</script><img src=x onerror='window.harmed = true'><!-- \\u2028 &lt;b&gt; \\u202e\\x1b[31m"
    assert browser.text("h1") == browser.run("document.title") == as_text
    assert browser.texts(".notes li") == [as_text]
    assert as_text in browser.text(".panel:nth-child(2) h2")
    assert browser.text(".panel:nth-child(3) h2") == "{{data}} {{style}}"
    assert as_text in browser.texts(".facts td")


def test_programs_that_are_put_in_do_not_run(opened: Open, tmp_path: Path) -> None:
    browser = opened(made())
    content = (tmp_path / "page.html").read_bytes().replace(b"</body>", b"<script>window.harmed = true</script></body>")
    (tmp_path / "changed.html").write_bytes(content)
    browser.open(tmp_path / "changed.html")
    assert browser.run("window.harmed") is None
    assert "Content Security Policy" in " ".join(browser.complaints)
    browser.complaints.clear()


def test_what_was_computed_stands_in_tables(opened: Open) -> None:
    browser = opened(made())
    browser.mouse("click", "summary")
    assert browser.texts("caption") == ["Settings", "Net", "Versions"]
    rows = dict(zip(browser.texts(".facts th"), browser.texts(".facts td")))
    assert rows["window"] == "[3, 4]"
    assert rows["preprocessing, mean"] == "[1, 2, 3]"
    assert browser.texts(".notes li") == ["Mind the gap."]


# for all readers, on all windows and on paper


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 360])
def test_axe_finds_nothing(opened: Open, violations: Callable[[], list[Any]], scheme: str, width: int) -> None:
    browser = opened(made(), of_windows())
    browser.size(width, 800, prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert violations() == []
    assert browser.run("document.documentElement.scrollWidth") == width


def test_letters_stand_out_in_light_and_dark() -> None:
    """By WCAG 2.2: 4.5 to 1 for letters, 3 to 1 for the edges of what is pressed."""

    def luminance(colour: str) -> float:
        parts = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    css = (PACKAGE / "page" / "page.css").read_text(encoding="utf-8")
    schemes = [
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{([^}]*--ground[^}]*)\}", css)
    ]
    assert len(schemes) == 3  # light, dark, print
    schemes[2] = {**schemes[0], **schemes[2]}
    for scheme in schemes:
        lights = {name: luminance(colour) for name, colour in scheme.items()}
        for front, least in (("ink", 7), ("faint", 4.5), ("accent", 4.5), ("edge", 3)):
            for ground in ("ground", "panel"):
                low, high = sorted((lights[front], lights[ground]))
                assert (high + 0.05) / (low + 0.05) >= least, (front, ground)


def test_on_paper_there_are_maps_and_tables_and_no_controls(opened: Open) -> None:
    browser = opened(made())
    assert browser.pdf().startswith(b"%PDF")
    browser.send("Emulation.setEmulatedMedia", media="print")
    shown = "getComputedStyle(document.querySelector('{}')).display !== 'none'"
    assert not browser.run(shown.format("#controls"))
    assert browser.run(shown.format(".panel canvas"))
    browser.run("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.run("document.querySelector('details').open")
    browser.send("Emulation.setEmulatedMedia", media="")


# in a notebook


def test_a_notebook_shows_the_page(browser: Browser, tmp_path: Path) -> None:
    shown = textwrap.indent(made()._repr_html_() or "", "   ")  # as what makes pages of notebooks does
    page = tmp_path / "notebook.html"
    page.write_text(f"<!doctype html><title>n</title><body data-ready='yes'>{shown}</body>", encoding="utf-8")
    browser.open(page)
    frame = browser.send("Page.getFrameTree")["frameTree"]["childFrames"][0]["frame"]["id"]
    world = browser.send("Page.createIsolatedWorld", frameId=frame)["executionContextId"]
    asked = "new Promise((done) => {const look = () => document.body && document.body.dataset.ready ? "
    asked += "done(document.querySelector('.readout').textContent) : setTimeout(look, 10); look(); })"
    told = browser.send("Runtime.evaluate", expression=asked, contextId=world, awaitPromise=True)["result"]["value"]
    assert "row 2, column 13" in told
    assert agrees(told.partition("Relevance")[2], 2.5)


def test_what_is_too_large_for_a_notebook_is_left_to_the_picture() -> None:
    many = made()
    targets = [Target("prob", [number], str(number)) for number in range(9)]
    nine = replace(
        many, relevance=np.zeros((9, 12, 18)), stderr=np.zeros((9, 12, 18)), targets=targets, base=np.zeros(9)
    )
    assert nine._repr_html_() is None
    assert many._repr_png_().startswith(b"\x89PNG")


# the file


def test_a_page_is_ours_and_the_same_each_time(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    size = save_page([("a", made())], path)
    content = path.read_bytes()
    assert size == len(content)
    save_page([("a", made())], path)
    assert path.read_bytes() == content
    path.write_bytes(content + b"my own words")
    with pytest.raises(ExplanationError, match="did not write, or that was changed since"):
        save_page([("a", made())], path)
    assert path.read_bytes() == content + b"my own words"


def test_what_no_page_is_made_of() -> None:
    with pytest.raises(SettingsError, match="no result to show: want at least one"):
        maps_page([])
    with pytest.raises(SettingsError, match="target 2 is out of range"):
        maps_page([("a", made())], targets=[2])
    with pytest.raises(SettingsError, match="colour map 'pink' is unknown"):
        maps_page([("a", made())], look=Look(cmap="pink"))
    with pytest.raises(SettingsError, match="scale = 'large'"):
        maps_page([("a", made())], look=Look(scale="large"))
