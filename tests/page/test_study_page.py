"""The page of a study in a real browser: sorted, filtered, looked at, and held against its index."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any, Callable
from urllib.parse import unquote

import numpy as np
import pytest
from helpers.browser import Browser
from helpers.results import made
from PIL import Image

from predicdiff.errors import ExplanationError, InputWarning
from predicdiff.explanation import Explanation, Target
from predicdiff.ours import as_record
from predicdiff.overlays import picture
from predicdiff.page import save_report
from predicdiff.page.study import thumbnail
from predicdiff.studies.index import Row, as_csv, read_index, rows_of

HOSTILE = "</script><img src=x onerror='window.harmed = true'>.png"
CLASSES = ("tabby", "dog", HOSTILE)


def study(folder: Path, images: int, *, file: str = "photos/{}.jpg", failed: bool = True) -> list[Row]:
    """A study's folder: two maps of each image, and perhaps an image that failed."""
    folder.mkdir()
    draw = np.random.default_rng(11)
    rows: list[Row] = []
    for number in range(images):
        targets = [Target("prob", [one], CLASSES[(number + one) % 3]) for one in range(2)]
        relevance = draw.normal(0, 1 + number, (2, 12, 18))
        result = made(targets=targets, base=draw.uniform(size=2), relevance=relevance)
        result.save(folder / f"{number}.h5")
        Image.fromarray(picture(result.pixels)).save(folder / f"{number}.png")
        told = rows_of(result, file=file.format(number), sha256="", result=f"{number}.h5")
        rows += [row._replace(seconds=float(number), reliability=0.9 if number % 2 else None) for row in told]
    rows += [Row("photos/broken.png", error="photos/broken.png: no image.")] if failed else []
    (folder / "index.csv").write_bytes(as_csv(rows, header=True))
    record = {"kind": "study", "settings": {"window": 8, "stride": None}, "net": {"name": "tiny"}}
    (folder / "settings.json").write_bytes(as_record(record))
    return rows


@pytest.fixture
def five(browser: Browser, tmp_path: Path) -> tuple[Browser, list[Row]]:
    """The open page of a study of five images, and the rows of its index."""
    study(tmp_path / "study", 5)
    save_report(tmp_path / "study", tmp_path / "study.html")
    browser.open(tmp_path / "study.html")
    return browser, read_index(tmp_path / "study")


def column(browser: Browser, number: int) -> list[str]:
    """The texts of a column's cells, counted from 1."""
    return browser.texts(f"#rows tr > :nth-child({number})")


def values(browser: Browser, number: int) -> list[float]:
    return [float(text.replace("\N{MINUS SIGN}", "-")) for text in column(browser, number) if text]


def test_all_rows_are_there_with_the_indexs_numbers(five: Any) -> None:
    browser, rows = five
    assert column(browser, 2) == [row.file for row in rows]
    assert column(browser, 3)[:10] == [row.class_ for row in rows[:10]]
    for place, name in ((4, "probability"), (5, "highest"), (6, "lowest"), (7, "stderr")):
        assert values(browser, place) == pytest.approx([getattr(row, name) for row in rows[:10]], rel=6e-4)
    assert column(browser, 8) == ["" if row.reliability is None else "0.9" for row in rows]
    assert column(browser, 3)[10] == "photos/broken.png: no image."
    assert browser.text("#shown") == "Rows 1 to 11 of 11"
    assert "6 images, of which 1 could not be explained" in browser.text("#words")


def test_it_sorts_by_mouse_and_keyboard_and_says_so(five: Any) -> None:
    browser, rows = five
    known = [row.probability for row in rows[:10]]
    heading = "#head th:nth-child(4)"
    assert browser.run(f"document.querySelector('{heading}').getAttribute('aria-sort')") is None
    browser.mouse("click", f"{heading} button")
    assert values(browser, 4) == pytest.approx(sorted(known, reverse=True), rel=6e-4)
    assert column(browser, 4)[-1] == ""  # what failed comes last, either way
    assert browser.run(f"document.querySelector('{heading}').getAttribute('aria-sort')") == "descending"
    browser.press("Enter")  # the button has the focus still
    assert values(browser, 4) == pytest.approx(sorted(known), rel=6e-4)
    assert column(browser, 4)[-1] == ""
    assert browser.run("[...document.querySelectorAll('[aria-sort]')].map((one) => one.getAttribute('aria-sort'))") == [
        "ascending"
    ]
    browser.run("document.querySelector('#head th:nth-child(2) button').focus()")
    browser.press(" ")
    assert column(browser, 2) == ["photos/0.jpg"] * 2 + ["photos/1.jpg"] * 2 + ["photos/2.jpg"] * 2 + [
        *["photos/3.jpg"] * 2, *["photos/4.jpg"] * 2, "photos/broken.png",
    ]  # fmt: skip


def test_it_filters_by_class_text_probability_and_kind(five: Any) -> None:
    browser, rows = five
    options = browser.texts("#class option")
    assert options[0] == "all"
    assert sorted(options[1:]) == sorted(f"{name} ({sum(row.class_ == name for row in rows)})" for name in CLASSES)
    browser.choose("#class", str(options.index(next(text for text in options if text.startswith("dog"))) - 1))
    assert set(column(browser, 3)) == {"dog"}
    browser.mouse("click", "#clear")
    assert len(column(browser, 2)) == 11
    browser.type_into("#least", "0.3")
    browser.type_into("#most", "0.7")
    within = [row.probability for row in rows[:10] if 0.3 <= (row.probability or 0.0) <= 0.7]
    assert 2 < len(within) < 9
    assert values(browser, 4) == pytest.approx(within, rel=6e-4)
    assert browser.text("#shown") == f"Rows 1 to {len(within)} of {len(within)} (of 11)"
    browser.mouse("click", "#clear")
    browser.type_into("#text", "PHOTOS/3")
    assert column(browser, 2) == ["photos/3.jpg"] * 2
    browser.type_into("#text", "")
    browser.choose("#which", "failed")
    assert column(browser, 2) == ["photos/broken.png"]
    browser.type_into("#text", "zebra")
    assert browser.text("#shown") == "No row is like that (of 11)"


def test_a_map_is_looked_at_larger(five: Any) -> None:
    browser, rows = five
    browser.mouse("click", "#rows tr:nth-child(4) button")
    assert browser.run("document.getElementById('larger').open")
    assert browser.text("#larger h2") == f"{rows[3].class_}: photos/1.jpg"
    browser.until("document.querySelector('#larger img').complete")
    assert browser.run("[document.querySelector('#larger img').naturalWidth, document.activeElement.textContent]") == [
        18,
        "Close",
    ]
    assert f"at row {rows[3].highest_row}, column {rows[3].highest_column}" in browser.text("#larger")
    assert re.search(r"predicdiff show \S*1\.h5 --html 1\.html", browser.text("#larger code"))
    browser.press("Escape")
    assert not browser.run("document.getElementById('larger').open")


def test_a_page_without_its_study_shows_what_it_has(browser: Browser, tmp_path: Path) -> None:
    study(tmp_path / "study", 1)
    save_report(tmp_path / "study", tmp_path / "study.html")
    (tmp_path / "study").rename(tmp_path / "moved")
    browser.open(tmp_path / "study.html")
    browser.mouse("click", "#rows tr:nth-child(1) button")
    browser.until("document.getElementById('larger').textContent.includes('not where it was')")
    browser.until("document.querySelector('#larger img').naturalWidth === 18")
    browser.complaints.clear()  # of the file that is not there


def test_small_pictures_show_the_map_over_its_picture(five: Any, tmp_path: Path) -> None:
    browser, _ = five
    one = Explanation.load(tmp_path / "study" / "2.h5").pick(1)
    assert browser.run("document.querySelectorAll('#rows tr img')[5].src").startswith("data:image/png;base64,")
    browser.until("document.querySelectorAll('#rows tr img')[5].naturalWidth === 18")
    wide = made(pixels=np.zeros((3, 300, 200), np.float32))
    (tmp_path / "t.png").write_bytes(thumbnail(wide))
    with Image.open(tmp_path / "t.png") as small:
        assert small.size == (75, 112)
        colours = np.asarray(small.convert("RGB")).astype(int)
    row, across = np.argwhere(colours[..., 1] == colours[..., 1].min()).mean(axis=0)  # of the darkest red
    assert (row // (112 / 12), across // (75 / 18)) == (2, 13)  # of the hidden blob's map
    assert len(one) == 1


def test_names_are_text_wherever_they_come_from(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "javascript:<img src=x onerror=alert(1)>#?%"
    study(folder, 3, file="photos/{}" + HOSTILE)
    rows = [row._replace(notes=HOSTILE, error=row.error and HOSTILE) for row in read_index(folder)]
    (folder / "index.csv").write_bytes(as_csv(rows, header=True))
    save_report(folder, tmp_path / "study.html")
    browser.open(tmp_path / "study.html")
    assert browser.run("window.harmed") is None
    assert column(browser, 2)[0] == f"photos/0{HOSTILE}"
    assert HOSTILE in column(browser, 3)
    browser.mouse("click", "#rows tr:nth-child(1) button")
    assert HOSTILE in browser.text("#larger .notes")
    browser.until("document.querySelector('#larger img').naturalWidth === 18")  # found, whatever its folder is called
    browser.type_into("#text", "onerror")
    assert browser.run("window.harmed") is None


def test_of_many_maps_small_pictures_lie_beside(browser: Browser, tmp_path: Path) -> None:
    study(tmp_path / "study", 2)
    done: list[tuple[int, int]] = []
    page = tmp_path / "out" / "all.html"
    written = save_report(tmp_path / "study", page, inside=4, progress=lambda *told: done.append(told))
    assert done[-1] == (5, 5)
    there = sorted(path.name for path in (tmp_path / "out" / "all_files").iterdir())
    assert there == ["0-0.png", "0-1.png", "1-0.png", "1-1.png"]
    assert written == (page.stat().st_size, 4)
    save_report(tmp_path / "study", page, inside=4)  # over what is ours
    browser.open(page)
    browser.until("document.querySelector('#rows img').naturalWidth === 18")
    assert browser.run("document.querySelector('#rows img').loading") == "lazy"
    (tmp_path / "out" / "all_files" / "0-0.png").write_bytes(b"my own")
    with pytest.raises(ExplanationError, match=r"0-0\.png: a file stands there that predicdiff did not write"):
        save_report(tmp_path / "study", page, inside=4)


def test_a_thousand_rows_are_shown_by_pages(browser: Browser, tmp_path: Path) -> None:
    rows = study(tmp_path / "study", 1, failed=False)
    many = [rows[0]._replace(file=f"photos/{number}.jpg", probability=number / 1000) for number in range(1000)]
    (tmp_path / "study" / "index.csv").write_bytes(as_csv(many, header=True))
    save_report(tmp_path / "study", tmp_path / "study.html", inside=1000)
    browser.open(tmp_path / "study.html")
    assert len(column(browser, 2)) == 50
    browser.mouse("click", "#head th:nth-child(4) button")
    browser.mouse("click", "#behind")
    assert browser.text("#shown") == "Rows 51 to 100 of 1000"
    assert values(browser, 4) == [number / 1000 for number in range(949, 899, -1)]
    browser.choose("#size", "0")
    assert len(column(browser, 2)) == 1000


def test_a_page_of_each_image(browser: Browser, tmp_path: Path) -> None:
    study(tmp_path / "study", 2)
    written = save_report(tmp_path / "study", tmp_path / "study.html", pages=True, cmap="vik")
    assert written.beside == 2
    browser.open(tmp_path / "study.html")
    browser.mouse("click", "#rows tr:nth-child(3) button")
    link = browser.run("document.querySelector('#larger a').getAttribute('href')")
    browser.open(tmp_path / unquote(link))
    assert browser.text("h1") == "1"
    assert browser.run("document.getElementById('palette').value") == "vik"


def test_results_that_cannot_be_read_are_named_and_passed_over(browser: Browser, tmp_path: Path) -> None:
    study(tmp_path / "study", 2)
    (tmp_path / "study" / "0.h5").write_bytes(b"no result")
    with pytest.warns(InputWarning, match=r"0\.h5: not a whole explanation.* Left out\."):
        save_report(tmp_path / "study", tmp_path / "study.html")
    browser.open(tmp_path / "study.html")
    assert browser.run("document.querySelectorAll('#rows img').length") == 2
    assert len(column(browser, 2)) == 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 360])
def test_axe_finds_nothing(five: Any, violations: Callable[[], list[Any]], scheme: str, width: int) -> None:
    browser, _ = five
    browser.size(width, 800, prefers_color_scheme=scheme)
    browser.mouse("click", "#head th:nth-child(4) button")
    assert violations() == []
    assert browser.run("document.documentElement.scrollWidth") == width
    browser.mouse("click", "#rows button")
    assert violations() == []


def test_on_paper_all_rows_are_shown(browser: Browser, tmp_path: Path) -> None:
    rows = study(tmp_path / "study", 1, failed=False)
    many = [rows[0]._replace(file=str(number)) for number in range(80)]
    (tmp_path / "study" / "index.csv").write_bytes(as_csv(many, header=True))
    save_report(tmp_path / "study", tmp_path / "study.html")
    browser.open(tmp_path / "study.html")
    browser.run("window.dispatchEvent(new Event('beforeprint'))")
    assert len(column(browser, 2)) == 80
    browser.run("window.dispatchEvent(new Event('afterprint'))")
    assert len(column(browser, 2)) == 50


@pytest.mark.parametrize("width", [640, 718])
def test_a_sheet_of_paper_has_room_for_all_columns(five: tuple[Browser, list[Row]], width: int) -> None:
    browser, _ = five
    browser.size(width, 1000)
    browser.send("Emulation.setEmulatedMedia", media="print")
    right = browser.run("document.querySelector('#head th:last-child').getBoundingClientRect().right")
    browser.send("Emulation.setEmulatedMedia", media="")
    assert right <= width


def test_of_an_image_that_failed_at_first_the_last_try_counts(browser: Browser, tmp_path: Path) -> None:
    rows = study(tmp_path / "study", 1)
    tried = [Row(rows[0].file, error="Not yet."), Row("photos/broken.png", error="First."), *rows]
    (tmp_path / "study" / "index.csv").write_bytes(as_csv(tried, header=True))
    (tmp_path / "study" / "settings.json").unlink()
    save_report(tmp_path / "study", tmp_path / "study.html")
    browser.open(tmp_path / "study.html")
    assert column(browser, 2) == ["photos/broken.png", "photos/0.jpg", "photos/0.jpg"]
    assert column(browser, 3)[0] == "photos/broken.png: no image."


def test_what_no_report_is_made_of(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ExplanationError, match=r"index\.csv: no such file\. Want the folder of a study"):
        save_report(tmp_path / "folder", tmp_path / "a.html")
    (tmp_path / "file").write_text("text")
    for name in ("none", "file"):
        with pytest.raises(ExplanationError, match=r"no such folder\. Give the folder of a study"):
            save_report(tmp_path / name, tmp_path / "a.html")
    study(tmp_path / "study", 1)
    (tmp_path / "study.html").write_text("my own")
    with pytest.raises(ExplanationError, match="did not write, or that was changed since"):
        save_report(tmp_path / "study", tmp_path / "study.html")
    assert (tmp_path / "study.html").read_text() == "my own"


def test_the_page_is_the_same_each_time(tmp_path: Path) -> None:
    study(tmp_path / "study", 2)
    hashes = set()
    for _ in range(2):
        save_report(tmp_path / "study", tmp_path / "study.html")
        hashes.add(hashlib.sha256((tmp_path / "study.html").read_bytes()).hexdigest())
    assert len(hashes) == 1
    found = re.search(rb'id="data">(.*?)</script>', (tmp_path / "study.html").read_bytes())
    assert found is not None
    assert len(json.loads(found[1])["rows"]) == 5
