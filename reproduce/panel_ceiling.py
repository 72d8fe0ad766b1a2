"""How much a panel can agree with our map at most: both lose by the panel's size, its colours and JPEG."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Sequence

import numpy as np
from PIL import Image

from predicdiff.comparing.pictures import clipped, hsv_overlay, relevance_of
from predicdiff.comparing.registration import register
from predicdiff.comparing.similarity import similarity
from predicdiff.images import load_image
from predicdiff.overlays import picture
from predicdiff.samplers.corpus import bundled, read_folder
from predicdiff.targets import predicted

from .panel_folder import Panel, enlarged
from .panel_jobs import Orders
from .panel_maps import UnitMaps
from .panel_nulls import STYLE, agreement
from .panel_request import Request

#: JPEG's quality, about that of the panels.
QUALITY = 75


@dataclass(frozen=True)
class Case:
    """A photograph as the net sees it, and made as small as a panel's input and enlarged, with the files of both.

    Attributes
    ----------
    panel : Panel
        One of those that the case stands for: of the same blob, sampler and size.
    indices : list of int
        The units that these panels show; of a vector the class that the net predicts for the photograph.
    """

    name: str
    panel: Panel
    side: int
    full: Path
    small: Path
    indices: list[int]


def photographs(request: Request, net: Any) -> dict[str, np.ndarray]:
    """So many photographs as a net sees them, by name: of the folder, or of the corpus, or bundled ones."""
    folder = request.photographs or request.corpus
    if folder is None:
        seen = {name: net.view(image) for name, image in bundled().items()}
    else:
        images, names, _skipped = read_folder(folder, net.view)
        seen = dict(zip((Path(name).stem for name in names), images))
    count = min(request.ceiling, len(seen))
    # spread over all, as neighbours in a folder may be alike
    chosen = [list(seen)[number * len(seen) // count] for number in range(count)]
    return {name: seen[name] for name in chosen}


def kind_of(panel: Panel) -> tuple[Any, ...]:
    """What the ceiling of a panel depends on."""
    side = max(load_image(panel.picture).shape[:2])
    return (panel.net, panel.blob, panel.k, panel.l, panel.sampler, side)


def order_ceiling(orders: Orders, panels: Sequence[Panel]) -> list[Case]:
    """Order the photographs' maps for each kind of panel."""
    kinds: dict[tuple[Any, ...], list[Panel]] = {}
    for panel in panels:
        if panel.net in orders.nets:
            kinds.setdefault(kind_of(panel), []).append(panel)
    request, cases = orders.request, []
    seen = {name: photographs(request, orders.nets[name]) for name in {kind[0] for kind in kinds} if request.ceiling}
    for kind, alike in kinds.items():
        panel, side, net = alike[0], kind[-1], orders.nets[alike[0].net]
        for name, pixels in seen.get(panel.net, {}).items():
            small = enlarged(made_small(picture(pixels), side), net.input_shape[1:])
            full_path = orders.photograph(name, panel, pixels, pixels, "full", request.seed)
            # with other draws, as the authors' were others
            small_path = orders.photograph(name, panel, small, pixels, str(side), request.seed + 1)
            indices = sorted({one.index for one in alike if one.index is not None})
            if len(net.blobs[panel.blob]) == 1:
                indices = list(predicted(net, pixels, panel.blob))
            cases.append(Case(name, panel, side, full_path, small_path, indices))
    return cases


def made_small(image: np.ndarray, side: int) -> np.ndarray:
    """A picture (H, W, 3) uint8 shrunk to a square, through JPEG."""
    file = io.BytesIO()
    Image.fromarray(image).resize((side, side), Image.BICUBIC).save(file, "JPEG", quality=QUALITY)
    return np.asarray(Image.open(file).convert("RGB"))


def ceiling_numbers(case: Case, maps: dict[Path, UnitMaps]) -> list[dict[str, Any]]:
    """JSON-able, for each unit: the full-size map's panel against the map of the photograph made small.

    ``read_back`` is what drawing alone leaves: that panel against the map it was drawn from. ``input_alone`` is what
    the small input alone leaves: the two maps, both clipped.
    """
    rows = []
    for index in case.indices:
        full, small = (maps[path].map(index) for path in (case.full, case.small))
        drawn = made_small(hsv_overlay(full, picture(maps[case.full].pixels)), case.side)
        panel, ours = relevance_of(drawn, style=STYLE), clipped(small, STYLE)
        aligned, _ = register(panel, ours, whole=True)
        figures = similarity(ours, aligned)._asdict()
        figures.pop("top_overlap")
        rows.append({
            "photograph": case.name, "net": case.panel.net, "blob": case.panel.blob, "sampler": case.panel.sampler,
            "side": case.side, "index": index, **figures,
            "read_back": agreement(panel, clipped(full, STYLE)), "input_alone": agreement(clipped(full, STYLE), ours),
        })  # fmt: skip
    return rows


def ceiling_of(panel: Panel, rows: Sequence[dict[str, Any]]) -> float | None:
    """The mean correlation of the photographs that stand for a panel; of those of its own unit where it is a map's."""
    side = max(load_image(panel.picture).shape[:2])
    alike = [
        row for row in rows
        if (row["net"], row["blob"], row["sampler"], row["side"]) == (panel.net, panel.blob, panel.sampler, side)
    ]  # fmt: skip
    own = [row for row in alike if row["index"] == panel.index] or alike
    return float(np.nanmean([row["pearson"] for row in own])) if own else None
