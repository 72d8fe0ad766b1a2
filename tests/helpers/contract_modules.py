"""Torch modules that the contract holds nets with, and what a copy of one gives for one input at a time."""

from __future__ import annotations

import copy
from typing import Any, Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

SHAPE = (3, 12, 10)


class Branches(nn.Module):
    """What a careless evaluation gets wrong: a batch norm and a dropout in train mode, work in place, two branches.

    The number that one of them is multiplied by is made anew in each pass.
    """

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.over = nn.ReLU(inplace=True)
        self.left = nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.right = nn.Conv2d(4, 4, 1)
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(4 * 6 * 5, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.over(self.norm(self.stem(x)))
        y = self.pool(self.relu(self.left(x)) * self.right(x) * torch.tensor(1.5))
        return self.last(self.drop(y).flatten(1))


class Untraceable(Branches):
    """Which way it takes depends on a value, which no trace can follow."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if float(x.detach().amax()) < 1e6 else torch.zeros_like(x))


KINDS: dict[str, type[nn.Module]] = {"traced": Branches, "untraceable": Untraceable}


def learnt(kind: str) -> nn.Module:
    """A module whose batch norms have seen something; in train mode, but for its pooling, as a user may leave it."""
    generator = torch.get_rng_state()
    module = KINDS[kind]().train()
    module(torch.randn(64, *SHAPE))
    module.get_submodule("pool").eval()
    torch.set_rng_state(generator)
    return module


class Sometimes(nn.Module):
    """Has no number for inputs whose first place is bright."""

    def __init__(self, inner: nn.Module, limit: float) -> None:
        super().__init__()
        self.inner, self.limit = inner, limit

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x[:, :1, 0, 0] > self.limit, torch.nan, self.inner(x / 255))


def sometimes(kind: str, limit: float) -> nn.Module:
    """Such a module in evaluation mode."""
    return Sometimes(learnt(kind), limit).eval()


def alone(module: nn.Module) -> Callable[[np.ndarray, Mapping[str, np.ndarray]], dict[str, np.ndarray]]:
    """A function from one input, and outputs of submodules that are given, to all blobs: a copy's, in float64."""
    own = copy.deepcopy(module).double().eval()

    def blobs(inputs: np.ndarray, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}

        def hook(name: str, output: Tensor) -> Tensor:
            if name in given:
                output = torch.tensor(given[name], dtype=torch.float64).reshape(output.shape)
            found[name] = output[0].numpy().copy()  # before a rectifier in place works on it
            return output

        named = [(name, child) for name, child in own.named_modules() if name]
        handles = [child.register_forward_hook(lambda *o, name=name: hook(name, o[2])) for name, child in named]
        with torch.no_grad():
            logits = own(torch.tensor(inputs, dtype=torch.float64)[None])
        for handle in handles:
            handle.remove()
        return {**found, "logits": logits[0].numpy(), "prob": logits.softmax(1)[0].numpy()}

    return blobs


def weights_of(module: nn.Module) -> list[Any]:
    """Of convolutions and linear layers."""
    return [child.weight for child in module.modules() if isinstance(child, (nn.Conv2d, nn.Linear))]
