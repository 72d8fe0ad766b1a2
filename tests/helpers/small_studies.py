"""Studies of small maps that are known beforehand, as folders."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Sequence

import numpy as np

from predicdiff.explanation import Explanation, Target
from predicdiff.studies.index import COLUMNS

SHAPE = (12, 18)


def maps(count: int, shape: tuple[int, int] = SHAPE, seed: int = 0) -> list[np.ndarray]:
    """Random maps (H, W), none like another."""
    return list(np.random.default_rng(seed).normal(0.1, 1.0, size=(count, *shape)))


def explained(
    relevance: np.ndarray | Sequence[np.ndarray],
    classes: Sequence[str] = ("cat",),
    *,
    unit: str = "bits",
    base: Sequence[float] | None = None,
    net: str = "a net",
    **parts: Any,
) -> Explanation:
    """An explanation of one map (H, W) for each class, over grey pixels."""
    relevance = np.reshape(relevance, (len(classes), *np.shape(relevance)[-2:]))
    given = {"pixels": np.full((3, *relevance.shape[1:]), 100.0, np.float32), **parts}
    return Explanation(
        relevance=relevance, stderr=np.zeros(relevance.shape), unit=unit,
        targets=[Target("prob", [number], name) for number, name in enumerate(classes)],
        base=np.full(len(classes), 0.5) if base is None else np.asarray(base, float),
        provenance={"net": {"name": net, "preprocessing": {}}}, **given,
    )  # fmt: skip


def write_study(
    folder: Path,
    explanations: Sequence[Explanation],
    *,
    names: Sequence[str] | None = None,
    hashes: Sequence[str] | None = None,
    failed: Sequence[str] = (),
) -> Path:
    """A study of images that are called 0.jpg, 1.jpg, ...; ``failed`` are those without a result."""
    folder.mkdir(parents=True, exist_ok=True)
    names = names or [f"photos/{number}.jpg" for number in range(len(explanations))]
    rows: list[dict[str, str]] = []
    for number, (name, explanation) in enumerate(zip(names, explanations)):
        explanation.save(folder / f"{number}.h5")
        for target in range(len(explanation)):
            row = {"file": name, "sha256": hashes[number] if hashes else "", "result": f"{number}.h5"}
            rows.append({**row, "target": str(target), "targets": str(len(explanation))})
    rows += [{"file": name, "error": f"{name}: no image."} for name in failed]
    with open(folder / "index.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return folder
