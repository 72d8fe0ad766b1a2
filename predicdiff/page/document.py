"""The file itself: a template, filled with a style, programs and data, none of which can break out of its place."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np
from PIL import Image

from ..images import LUMA
from ..ours import PROGRAM, hashed
from ..overlays import GREYS, MISSING, NOTHING
from ..palettes import COLOUR_MAPS

#: The folder of the template, the style and the programs.
HERE = Path(__file__).parent
#: Of these a page has each palette's colours: steps as fine as eight bits of a colour.
LEVELS = np.linspace(-1.0, 1.0, 2049)
PLACE = re.compile(r"\{\{(\w+)\}\}")


def document(kind: str, title: str, data: Mapping[str, Any], *, pictures: Sequence[str] = ("data:",)) -> bytes:
    """A page of a kind.

    Parameters
    ----------
    kind : {"maps", "study"}
        Which of the bodies and programs beside this module it has.
    title : str
        Text, as all of ``data``: nothing in them is taken for markup.
    data : dict
        JSON-able, for the program; what all pages need is added.
    pictures : sequence of str
        Where pictures may come from, as a Content-Security-Policy says it.

    Returns
    -------
    bytes
        With the comment at the end by which `ours` knows the file.
    """
    style, programs = _text("page.css"), [_text("common.js"), _text(f"{kind}.js")]
    parts = {
        "policy": _policy(style, programs, pictures),
        "title": html.escape(title),
        "style": style,
        "body": _text(f"{kind}.html"),
        "data": _json({"title": title, "made": PROGRAM, **data}),
        "programs": "\n".join(f"<script>{program}</script>" for program in programs),
    }
    filled = PLACE.sub(lambda place: parts[place[1]], _text("template.html"))
    return hashed(filled.encode("utf-8", "xmlcharrefreplace"), "html")


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _policy(style: str, programs: Sequence[str], pictures: Sequence[str]) -> str:
    """Nothing is loaded but pictures, and nothing runs but what this page was made with."""
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'" for part in programs]
    own = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src {' '.join(pictures)}; style-src 'sha256-{own}'; "
        f"script-src {' '.join(hashes)}; base-uri 'none'; form-action 'none'"
    )


def _json(data: Mapping[str, Any]) -> str:
    """JSON in ASCII, in which neither a tag nor a comment can begin or end."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def colours() -> dict[str, Any]:
    """What a program needs to draw as `overlays` does."""
    palettes = [
        {
            "name": one.name, "positive": one.positive, "negative": one.negative,
            "colours": numbers(np.rint(255 * one.at(LEVELS)), "u1"),
            "pane": numbers(np.rint(255 * one.pane(LEVELS)), "u1"),
        }
        for one in COLOUR_MAPS.values()
    ]  # fmt: skip
    return {"palettes": palettes, "luma": LUMA.tolist(), "greys": GREYS, "missing": MISSING, "nothing": NOTHING}


def numbers(values: np.ndarray, kind: str = "<f4") -> str:
    """An array as base64 of its bytes, rows first, by default those of float32."""
    with np.errstate(over="ignore"):
        return base64.b64encode(np.ascontiguousarray(values, kind).tobytes()).decode()


def picture_uri(colours: np.ndarray) -> str:
    """Colours (H, W, 3) uint8 as the address of a picture that it holds itself."""
    return as_uri(as_png(Image.fromarray(colours)))


def as_png(image: Image.Image) -> bytes:
    """An image as the bytes of a PNG."""
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return content.getvalue()


def as_uri(png: bytes) -> str:
    """The bytes of a PNG as an address."""
    return "data:image/png;base64," + base64.b64encode(png).decode()
