"""A net's weights as a file for each blob, as they lie at a host: filters with their channels last."""

from __future__ import annotations

import hashlib
from typing import Mapping, Sequence

import numpy as np

FOLDER = "models/tiny/weights"


def raw_parts(weights: Mapping[str, Sequence[np.ndarray]], folder: str = FOLDER) -> dict[str, bytes]:
    """Contents by path; ``weights`` as a caffemodel in today's format has them."""
    files = {}
    for layer, blobs in weights.items():
        for suffix, blob in zip(("filter", "bias"), blobs):
            stored = np.moveaxis(blob, 1, -1) if blob.ndim == 4 else blob
            files[f"{folder}/{layer}_{suffix}.bin"] = stored.astype("<f4").tobytes()
    return files


def parts_list(files: Mapping[str, bytes]) -> str:
    """The list of parts, as models/parts.tsv has it."""
    rows = [f"{path}\t{len(content)}\t{hashlib.sha1(content).hexdigest()}\n" for path, content in files.items()]
    return "path\tbytes\tsha1\n" + "".join(rows)
