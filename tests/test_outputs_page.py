"""The page on outputs: its examples run."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from helpers.places import ROOT

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import predicdiff as pd  # noqa: E402

EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8"), re.DOTALL)


class Made(nn.Module):
    """A module that ends as a function of its maps and of what else it is given says."""

    def __init__(self, end: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.end = nn.Conv2d(3, 3, 3, stride=2), end

    def forward(self, x: torch.Tensor, facts: Any = None) -> Any:
        maps = self.conv(x)
        return self.end(maps) if facts is None else self.end(maps, facts)


def detected(maps: torch.Tensor) -> Any:
    queries = maps.flatten(2).mT[:, ::9]
    return {"logits": queries, "pred_boxes": torch.cat([queries, queries[..., :1]], 2).sigmoid()}


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples(example: str) -> None:
    image, corpus = np.random.default_rng(0).normal(size=(2, 3, 24, 24)).astype(np.float32)
    sampler = pd.MarginalSampler(np.stack([corpus, corpus + 1]))
    given: dict[str, Any] = {
        "pd": pd, "np": np, "torch": torch, "image": image, "sampler": sampler,
        "classifier": Made(lambda maps: {"maps": maps, "scores": maps.mean((2, 3))}),
        "with_facts": Made(lambda maps, facts: torch.cat([maps.mean((2, 3)), facts], 1)),
        "half": Made(lambda maps: maps.mean((2, 3))), "segmenter": Made(lambda maps: maps), "detector": Made(detected),
    }  # fmt: skip
    exec(example, given)
    assert isinstance(given["net"].name, str)
    if "result" in given:
        assert np.isfinite(given["result"].relevance).all()
        assert np.isfinite(given["result"].stderr).all()
