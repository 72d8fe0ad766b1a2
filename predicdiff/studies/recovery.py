"""The rows of an index that is gone, from the results that lie there still: each names its image and what it held."""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import ExplanationError, InputWarning, warn
from ..explanation import Explanation
from ..ours import SHA256, refuse
from ..protocols import Json
from .index import INDEX, Row, rows_of


def rows_of_results(folder: Path, identity: Json) -> list[Row]:
    """The rows of all results in a study's folder whose net and sampler are those of ``identity``.

    Left out is what has no picture beside it, what cannot be read, and what somebody has changed or put there. Warnings
    that concerned an image as it was read are lost with the index; the notes of its explanation are not.

    Warns
    -----
    InputWarning
        Where there are results.
    """
    rows = [row for path in sorted(folder.glob("*.h5")) for row in _rows(path, identity)]
    if rows:
        count = len({row.result for row in rows})
        results = "1 result" if count == 1 else f"{count} results"
        warn(f"{folder}: {INDEX} is not there; {results} with the same net and sampler are taken up.", InputWarning)
    return rows


def _rows(path: Path, identity: Json) -> list[Row]:
    """The rows of one result, and none of what is not this study's."""
    if not path.with_suffix(".png").is_file():
        return []
    try:
        refuse(path, ExplanationError)
        explanation = Explanation.load(path)
    except ExplanationError:
        return []
    about = json.loads(json.dumps(explanation.provenance))
    image = about.get("image")
    if any(about.get(name) != identity.get(name) for name in ("net", "sampler")) or not isinstance(image, dict):
        return []
    file, sha256 = image.get("file"), image.get(SHA256)
    if not isinstance(file, str) or not isinstance(sha256, str) or not sha256:
        return []
    return rows_of(explanation, file=file, sha256=sha256, result=path.name)
