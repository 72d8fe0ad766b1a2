"""What labels, names, notes and files bring does not reach a terminal raw, and no terminal is too small for it."""

from __future__ import annotations

import io
import sys

import pytest
from helpers.sealed import rewritten
from PIL import Image

from predicdiff.cli import console

HOSTILE = "\x1b]0;owned\x07\x9b2J\u202etiger"
SHOWN = r"\x1b]0;owned\x07\x9b2J\u202etiger"
FORGED = "tiger\nWrote all."


def harmless(text):
    return all(letter in "\r\n" or letter.isprintable() for letter in text)


def test_a_run_with_hostile_names_at_a_terminal(seen, data, tmp_path, photographs):
    """A label, a layer, a file and a bar; then the same from a result whose note is hostile too."""
    pytest.importorskip("torch")
    prototxt = (data / "tiny_v1.prototxt").read_text()
    (tmp_path / "net.prototxt").write_text(prototxt.replace('"prob"', r'"\033]0;owned\007prob"'))
    (tmp_path / "labels.txt").write_text(f"{HOSTILE}\n" * 5, encoding="utf-8")
    picture = tmp_path / "\x1b[31mred\n.png"
    Image.fromarray(photographs[0]).save(picture)
    net = ["--net", "net.prototxt", "--weights", data / "tiny_v1.caffemodel", "--mean", "0", "--image-size", "24"]
    how = ["--labels", "labels.txt", "--sampler", "grey", "-k", "4", "--stride", "2", "-o", "a.h5"]
    status, text = seen("explain", picture.name, *net, *how)
    assert status == 0, text
    assert harmless(text)
    assert SHOWN in text
    assert r"\x1b[31mred\n.png" in text
    assert " gone, " in text  # of a bar

    def note(file):
        del file["notes"]
        file["notes"] = '["\\u001b[2J\\nWrote all."]'

    rewritten(tmp_path / "a.h5", note)
    status, text = seen("show", "a.h5")
    assert status == 0, text
    assert harmless(text)
    assert r"Note: \x1b[2J\nWrote all." in text
    status, text = seen("show", "\x1b[2Jabsent.h5")
    assert (status, harmless(text)) == (2, True)


def test_bars_errors_and_warnings_at_a_terminal(seen):
    code = (
        "import sys, warnings\n"
        "from predicdiff.cli.console import FileBars, Failure, plain_warnings\n"
        f"hostile = {HOSTILE + FORGED!r}\n"
        "bars = FileBars(False)\n"
        "bars(hostile, 0, 10)\n"
        "with plain_warnings():\n"
        "    warnings.warn(hostile.replace(chr(10), ' '), UserWarning)\n"
        "bars(hostile, 10, 10)\n"
        "bars.close()\n"
        "Failure(hostile.replace(chr(10), ' ')).show()\n"
    )
    status, text = seen(code=code)
    assert status == 0, text
    assert harmless(text)
    assert text.count(SHOWN) >= 3
    assert "Wrote all." not in text.replace("\r", "\n").splitlines()


def test_a_line_begins_no_other_and_ends(capsys):
    console.say(FORGED, "x" * 10**6)
    forged, long = capsys.readouterr().out.splitlines()
    assert forged == r"tiger\nWrote all."
    assert len(long) < 10**4


@pytest.mark.parametrize(("encoding", "wanted"), [("ascii", r"\u4e2d\xe4"), ("latin-1", "\\u4e2dä"), ("utf-8", "中ä")])
def test_what_a_terminal_has_no_characters_for_is_escaped(monkeypatch, encoding, wanted):
    for stream, err in (("stdout", False), ("stderr", True)):
        written = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
        monkeypatch.setattr(sys, stream, written)
        console.say("中ä", err=err)
        assert written.buffer.getvalue().decode(encoding) == wanted + "\n"


def test_closed_streams_are_written_to_in_vain(monkeypatch):
    for stream, err in (("stdout", False), ("stderr", True)):
        monkeypatch.setattr(sys, stream, None)
        console.say("unheard", err=err)
