"""Modules in float64, bfloat16 and half, and those of several: each in its own numbers, what comes out in float32."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from predicdiff.nets.modules.net import ModuleNet  # noqa: E402

SHAPE = (3, 12, 11)
PLACES = np.array([[0, 0], [4, 3], [9, 8]])
KINDS = {"float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}
#: Roundings on the way: of the input, five layers with weights of their own or folded, means, and what is set in.
STEPS = 16


def convnet() -> nn.Sequential:
    """Convolutions that see a change by its difference and strided, a batch norm, both ways to take means."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3, stride=2),
        nn.AvgPool2d(2, 1, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5),
    )  # fmt: skip
    module(torch.randn(32, *SHAPE))
    return module.eval()


def check(module: nn.Module, exact: nn.Module, rounding: float, **settings: Any) -> ModuleNet:
    """A net of a module, densely and incrementally, against ``exact``, the same in float64, asked image by image."""
    net = ModuleNet(module, input_shape=SHAPE, device="cpu", **settings)
    numbers = np.random.default_rng(1)
    image = numbers.standard_normal(SHAPE).astype(np.float32)
    patches = (8 * numbers.standard_normal((3, 2, 3, 3, 3))).astype(np.float32)  # so that more than rounding changes
    images = np.tile(image, (3, 2, 1, 1, 1))
    for i, (row, column) in enumerate(PLACES):
        images[i, :, :, row : row + 3, column : column + 3] = patches[i]
    with torch.no_grad():
        wanted = exact(torch.tensor(images.reshape(-1, *SHAPE)).double()).numpy()
    atol = STEPS * rounding * np.abs(wanted).max()
    given = net.forward(images.reshape(-1, *SHAPE), ["logits"])["logits"]
    assert given.dtype == np.float32
    np.testing.assert_allclose(given, wanted, atol=max(atol, 2.0**-23 * np.abs(wanted).max()), rtol=0)
    values = net.evaluate(image, PLACES, patches, blob="logits", units=[(unit,) for unit in range(5)], batch_size=4)
    np.testing.assert_allclose(values.reshape(-1, 5), wanted, atol=atol, rtol=0)
    assert np.abs(values - values[:1, :1]).max() > 2 * atol  # or nothing is seen of the windows
    return net


@pytest.mark.parametrize("name", KINDS)
def test_a_module_keeps_its_numbers(name: str) -> None:
    kind = KINDS[name]
    module = convnet().to(kind)
    exact = copy.deepcopy(module).double()
    net = check(module, exact, torch.finfo(kind).eps / 2)
    assert net.dense_because is None
    assert next(module.parameters()).dtype == kind
    assert net.provenance["numbers"] == name
    assert net.module is module
    hidden = ModuleNet(exact.float(), input_shape=SHAPE, device="cpu")
    pixels = np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32)
    patches = np.random.default_rng(2).uniform(0, 1, (1, 3, 8, 2, 2)).astype(np.float32)
    asked: Any = {"blob": "logits", "units": [(0,), (4,)], "batch_size": 2, "start": "2"}
    values, wanted = (each.evaluate(pixels, [[1, 2]], patches, **asked) for each in (net, hidden))
    np.testing.assert_allclose(values, wanted, atol=STEPS * max(torch.finfo(kind).eps, 2.0**-23) * np.abs(wanted).max())
    gradient, slope = (each.gradient(pixels, blob="logits", unit=2) for each in (net, hidden))
    assert gradient.dtype == np.float32
    # on the whole: what is rounded across a rectifier's corner has another slope
    assert np.abs(gradient - slope).mean() <= STEPS * max(torch.finfo(kind).eps, 2.0**-23) * np.abs(slope).mean()


def test_large_means_of_half_do_not_overflow() -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 5)).half()
    with torch.no_grad():
        module[0].weight *= 500
        module[0].bias += 2000  # of 132 places the sum is beyond what half can hold
        module[4].weight /= 2000
    assert check(module, copy.deepcopy(module).double(), 2.0**-11).dense_because is None


class Mixed(nn.Module):
    """Layers in two types, each given its own."""

    def __init__(self, first: Any, last: Any, way: Any) -> None:
        super().__init__()
        self.body = convnet()[:7].to(first)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(8, 5)).to(last)
        self.way = way

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.way(self, self.body(x)))


def own(module: Any, x: Tensor) -> Tensor:
    return x.to(module.head[1].weight.dtype)


def half(module: Any, x: Tensor) -> Tensor:
    return x.half()


def autocast(module: Any, x: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return module.body[3](module.body[:3](x)).mean((2, 3)).to(module.head[1].weight.dtype)


@pytest.mark.parametrize(
    ("first", "last", "way", "reason"),
    [
        (torch.bfloat16, torch.float32, own, None),
        (torch.float32, torch.bfloat16, own, None),
        (torch.float64, torch.float16, own, None),
        (torch.float32, torch.float16, half, "no copy of it in float32 runs, against which its trace could be held"),
    ],
)
def test_numbers_of_two_types(first: Any, last: Any, way: Any, reason: str | None) -> None:
    module = Mixed(first, last, way)
    exact = copy.deepcopy(module).double()
    exact.way = own
    rounding = max(torch.finfo(kind).eps for kind in (first, last)) / 2
    assert check(module, exact, rounding).dense_because == reason


def test_autocast_inside_of_a_module() -> None:
    class Cast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = convnet()

        def forward(self, x: Tensor) -> Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                return self.body(x)

    module = Cast()
    net = check(module, copy.deepcopy(module.body).double(), 2.0**-8)
    assert net.dense_because == "it sets torch.autocast by itself"
    assert not net.alone
