"""A transformer's tokens (N, d) as what is taken away, one after the other, in place of windows of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.oracle_nets import photo
from torch import Tensor, nn

import predicdiff as pd
from predicdiff.errors import BlobError
from predicdiff.samplers.hidden import hidden_marginal

SHAPE, SIDE, WIDTH, CLASSES = (3, 12, 8), 4, 5, 3


class Tokens(nn.Module):
    """Patches of the picture as tokens, one that all see, and a block that mixes them."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, WIDTH, SIDE, SIDE)
        self.first = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.norm = nn.LayerNorm(WIDTH)
        self.mixed = nn.MultiheadAttention(WIDTH, 1, batch_first=True)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x / 255).flatten(2).transpose(1, 2)
        tokens = self.norm(torch.cat([self.first.expand(len(x), -1, -1), tokens], 1))
        return self.head(self.behind(tokens))

    def behind(self, tokens: Tensor) -> Tensor:
        mixed: Tensor = tokens + self.mixed(tokens, tokens, tokens, need_weights=False)[0]
        return mixed[:, 0]


@pytest.fixture
def net() -> Any:
    torch.manual_seed(0)
    return pd.load_net(Tokens().eval(), input_shape=SHAPE, device="cpu")


def test_tokens_are_taken_away_one_by_one(net: Any) -> None:
    assert net.blobs["norm"] == (7, WIDTH)
    corpus = np.stack([photo(SHAPE, seed) for seed in range(1, 5)])
    sampler = hidden_marginal(net, corpus, "norm")
    result = pd.explain(
        net, photo(SHAPE), sampler, window=(1, "all"), samples=3, start="norm", blob="logits", units=[1], seed=0
    )
    assert result.relevance.shape == (1, 7, WIDTH)
    assert "The map's rows are the tokens of norm, in their order, and not rows of the picture." in result.notes
    with torch.no_grad():
        kept, others = (net.forward(images, ["norm"])["norm"] for images in (photo(SHAPE)[None], corpus))
        untouched = net.forward(photo(SHAPE)[None], ["logits"])["logits"][0, 1]
        for token in range(7):
            drawn = sampler.draw(kept[None, 0], np.array([[token, 0]]), window=(1, WIDTH), samples=3, seed=0)[
                0, :, 0, 0
            ]
            assert all(any(np.array_equal(one, other[token]) for other in others) for one in drawn)
            values = []
            for one in drawn:
                tokens = torch.from_numpy(kept.copy())
                tokens[0, token] = torch.from_numpy(one)
                values.append(net.module.head(net.module.behind(tokens))[0, 1].item())
            assert result.relevance[0, token] == pytest.approx(untouched - np.mean(values), abs=1e-5)
    assert np.ptp(result.relevance[0, :, 0]) > 0.01


def test_blobs_of_four_axes_are_no_tokens() -> None:
    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shape = nn.Unflatten(2, (2, 2, 2))

        def forward(self, x: Tensor) -> Tensor:
            return self.shape(x.flatten(2)[:, :, :8]).mean((2, 3, 4))

    net = pd.load_net(Deep(), input_shape=SHAPE, device="cpu")
    with pytest.raises(BlobError, match=r"by windows: want \(C, H, W\), \(C,\) or tokens \(N, d\)"):
        hidden_marginal(net, photo(SHAPE)[None], "shape")
