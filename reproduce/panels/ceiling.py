"""How much a panel can agree with our map at most: both lose by the panel's size, its colours and JPEG."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Sequence

import numpy as np
from PIL import Image

from predicdiff.comparing.registration import register
from predicdiff.comparing.similarity import similarity
from predicdiff.errors import ImageError
from predicdiff.images import load_image
from predicdiff.overlays import picture
from predicdiff.samplers.corpus import bundled, read_folder
from predicdiff.targets import predicted

from .folder import Panel, enlarged
from .jobs import Orders
from .maps import UnitMaps
from .nulls import agreement
from .pictures import Reading, drawn_as, read_panel
from .request import Request

#: JPEG's quality, about that of the panels.
QUALITY = 75


@dataclass(frozen=True)
class Case:
    """A photograph as the net sees it, once more with other draws, and made as small as a panel's input and enlarged.

    Attributes
    ----------
    panel : Panel
        One of those that the case stands for: of the same blob, sampler, size and style.
    indices : list of int
        The units that these panels show; of a vector the class that the net predicts for the photograph.
    """

    name: str
    panel: Panel
    side: int
    style: str
    full: Path
    again: Path
    small: Path
    indices: list[int]


def photographs(request: Request, net: Any, panels: Sequence[Panel]) -> dict[str, np.ndarray]:
    """So many photographs as a net sees them, by name: of the folder, or of the corpus, or bundled ones.

    Those whose class the net no longer predicts when they are as small as the panels are left out: of their maps little
    is to be hoped for, and the panels' inputs are not like that.
    """
    folder = request.photographs or request.corpus
    if folder is None:
        seen = {name: net.view(image) for name, image in bundled().items()}
    else:
        images, names, _skipped = read_folder(folder, net.view)
        seen = dict(zip((Path(name).stem for name in names), images))
    vectors = [panel for panel in panels if len(net.blobs[panel.blob]) == 1]
    if vectors:
        least = min(vectors, key=side_of)
        seen = {name: pixels for name, pixels in seen.items() if _steady(net, least, pixels)}
    count = min(request.ceiling, len(seen))
    # spread over all, as neighbours in a folder may be alike
    chosen = [list(seen)[number * len(seen) // count] for number in range(count)]
    return {name: seen[name] for name in chosen}


def side_of(panel: Panel) -> int:
    """How many pixels a panel has along its longer side."""
    return max(load_image(panel.picture).shape[:2])


def _steady(net: Any, panel: Panel, pixels: np.ndarray) -> bool:
    small = shrunk(net, pixels, side_of(panel))
    return predicted(net, small, panel.blob) == predicted(net, pixels, panel.blob)


def shrunk(net: Any, pixels: np.ndarray, side: int) -> np.ndarray:
    """Pixels (C, H, W) of a photograph made as small as a panel's input, and enlarged as that is."""
    return enlarged(made_small(picture(pixels), side), net.input_shape[1:])


def kind_of(panel: Panel) -> dict[str, Any]:
    """JSON-able: what the ceiling of a panel depends on."""
    return {
        "net": panel.net, "blob": panel.blob, "k": panel.k, "l": panel.l, "sampler": panel.sampler,
        "side": side_of(panel), "style": read_panel(panel).style,
    }  # fmt: skip


def order_ceiling(orders: Orders, panels: Sequence[Panel]) -> list[Case]:
    """Order the photographs' maps for each kind of panel."""
    kinds: dict[tuple[Any, ...], list[Panel]] = {}
    for panel in panels:
        if panel.net in orders.nets:
            kinds.setdefault(tuple(kind_of(panel).values()), []).append(panel)
    request, cases, seen = orders.request, [], {}
    for name, net in orders.nets.items() if request.ceiling else ():
        seen[name] = photographs(request, net, [panel for panel in panels if panel.net == name])
    for (*_, side, style), alike in kinds.items():
        panel, net = alike[0], orders.nets[alike[0].net]
        for name, pixels in seen.get(panel.net, {}).items():
            full = orders.photograph(name, panel, pixels, pixels, "full", request.seed)
            again = orders.photograph(name, panel, pixels, pixels, "again", request.seed + 1)
            # with other draws, as the authors' were others
            small = orders.photograph(name, panel, shrunk(net, pixels, side), pixels, str(side), request.seed + 1)
            indices = sorted({one.index for one in alike if one.index is not None})
            if len(net.blobs[panel.blob]) == 1:
                indices = list(predicted(net, pixels, panel.blob))
            cases.append(Case(name, panel, side, style, full, again, small, indices))
    return cases


def made_small(image: np.ndarray, side: int) -> np.ndarray:
    """A picture (H, W, 3) uint8 shrunk to a square, through JPEG."""
    file = io.BytesIO()
    Image.fromarray(image).resize((side, side), Image.BICUBIC).save(file, "JPEG", quality=QUALITY)
    return np.asarray(Image.open(file).convert("RGB"))


def ceiling_numbers(case: Case, maps: dict[Path, UnitMaps]) -> list[dict[str, Any]]:
    """JSON-able, for each unit: the full-size map's panel against the map of the photograph made small.

    ``read_back`` is what drawing alone leaves: that panel against the map it was drawn from. ``input_alone`` is what
    the small input and other draws leave: the two maps; ``other_draws`` what other draws alone leave of the whole
    photograph's map. A panel that cannot be read back has no numbers.
    """
    rows = []
    for index in case.indices:
        full, again, small = (maps[path].map(index) for path in (case.full, case.again, case.small))
        below = picture(maps[case.full].pixels)
        drawn = made_small(drawn_as(case.style, full, below), case.side)
        try:
            panel = Reading.of(drawn, made_small(below, case.side), case.style)
        except ImageError:  # JPEG leaves no map's colours of a very small or sharp one
            continue
        whole, ours = panel.limited(full), panel.limited(small)
        aligned, _ = register(panel.relevance, ours, whole=True)
        figures = similarity(ours, aligned)._asdict()
        figures.pop("top_overlap")
        rows.append({
            "photograph": case.name, **kind_of(case.panel), "index": index, **figures,
            "read_back": agreement(panel.relevance, whole), "input_alone": agreement(whole, ours),
            "other_draws": agreement(whole, panel.limited(again)),
        })  # fmt: skip
    return rows


def ceiling_of(panel: Panel, rows: Sequence[dict[str, Any]]) -> float | None:
    """The mean correlation of the photographs that stand for a panel; of those of its own unit where it is a map's."""
    kind = kind_of(panel)
    alike = [row for row in rows if {name: row[name] for name in kind} == kind]
    own = [row for row in alike if row["index"] == panel.index] or alike
    return float(np.nanmean([row["pearson"] for row in own])) if own else None
