"""Torch modules put together at random: what vision nets are made of, and some of what their authors write by hand."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

Shape = tuple  # (C, H, W)


class Joined(nn.Module):
    """Two branches, added in place or not, multiplied, or one's channels after the other's."""

    def __init__(self, one: nn.Module, other: nn.Module, how: str) -> None:
        super().__init__()
        self.one, self.other, self.how = one, other, how

    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x)
        if self.how == "cat":
            return torch.cat([y, x, self.other(x)], 1)
        if self.how == "mul":
            return y * self.other(x)
        if self.how == "iadd":
            y += self.other(x)
            return y
        return functional.relu(y.add_(self.other(x)))


class Normalised(nn.Module):
    """Less a mean and over a deviation, kept as buffers."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.randn(1, channels, 1, 1))
        self.register_buffer("deviation", torch.rand(channels, 1, 1) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.deviation


class Excited(nn.Module):
    """Squeeze and excitation: channels times what the means of all maps say."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.sigmoid(self.linear(x.mean((2, 3))))
        return x * scale.view(x.size(0), -1, 1, 1)


class Function(nn.Module):
    """A function by its name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        return FUNCTIONS[self.name](x)


FUNCTIONS: dict[str, Any] = {
    "relu": functional.relu,
    "over": lambda x: functional.relu(x.clone(), inplace=True),
    "method": lambda x: x.mul(2).sub_(0.5).relu_().add(x),
    "numbers": lambda x: 1.5 - x * 2 + x / 3,
    "silu": lambda x: x * torch.sigmoid(x),
    "clamp": lambda x: torch.clamp(x, -0.5, 1.0),
    "pad": lambda x: functional.pad(x, (1, 0, 2, 1)),
    "cut": lambda x: functional.pad(x, (0, -1)),
    "mirror": lambda x: functional.pad(x, (1, 1, 1, 1), mode="reflect"),
    "pool": lambda x: functional.max_pool2d(x, 2, stride=1, padding=1),
    "mean": lambda x: functional.avg_pool2d(x, (2, 1), 2, ceil_mode=True),
    "adaptive": lambda x: functional.adaptive_avg_pool2d(x, 2),
    "padded": lambda x: functional.max_pool2d(functional.relu_(functional.pad(x, (1, 1, 1, 1))), 3, 1) + x,
    "halves": lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
    "turned": lambda x: x.transpose(2, 3),
    "gate": lambda x: x * (x > 1).flatten(1).any(1).view(-1, 1, 1, 1),
    "rows": lambda x: x + torch.arange(x.size(2), dtype=x.dtype).view(-1, 1),
    "brightest": lambda x: x - x.amax((2, 3), keepdim=True),
    "upper": lambda x: x[:, :, 1:],
    "every other": lambda x: x[:, :, 1::2, ::2] if min(x.shape[2:]) > 1 else x,
    "last": lambda x: along_channels(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
    "columns first": lambda x: x.transpose(2, 3).mul(2).transpose(2, 3),
    "shuffled": lambda x: x.unsqueeze(1).transpose(1, 2).unflatten(1, (1, -1)).flatten(1, 3),
    "parts": lambda x: torch.cat(x.split([1, x.size(1) - 1], 1)[::-1], 1) if x.size(1) > 1 else x,
    "moments": lambda x: functional.batch_norm(x, torch.ones(x.size(1)), torch.full((x.size(1),), 2.0)),
    "standard": lambda x: functional.conv2d(x, weights(x.size(1)) - weights(x.size(1)).mean(), None, 1, 1),
    "mean of channels": lambda x: x * x.mean(1, keepdim=True) + torch.softmax(x, 1),
    "larger": lambda x: functional.interpolate(x, scale_factor=(2, 3)),
    "set": lambda x: setting(x * 1),
}


def along_channels(x: Tensor) -> Tensor:
    """A norm, a linear layer and a factor of maps (b, H, W, C)."""
    normed = functional.layer_norm(x, x.shape[-1:], bias=torch.linspace(0, 1, x.shape[-1]))
    return functional.linear(normed, weights(x.shape[-1])[:, :, 0, 1]) * torch.linspace(1, 2, x.shape[-1])


def weights(channels: int) -> Tensor:
    """Of a convolution that is no copy of its input."""
    return torch.linspace(-1, 1, 9 * channels**2).view(channels, channels, 3, 3)


def setting(x: Tensor) -> Tensor:
    """What is left where a row is set to zero."""
    x[:, :, 1:2] = 0.0
    return x


@st.composite
def modules(draw: st.DrawFn, shape: Shape, most: int = 5) -> nn.Sequential:
    """A chain for inputs of a shape, which ends in maps or in a vector."""
    torch.manual_seed(draw(st.integers(0, 99)))
    chain = draw(chains(shape, most))
    end_shape = after(chain, shape)
    if draw(st.booleans()):
        chain.append(draw(st.sampled_from([nn.Flatten(), Flat(), Flat()])))
        chain.append(nn.Linear(end_shape[0] * end_shape[1] * end_shape[2], 3))
    return chain


class Flat(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.contiguous().view(x.size(0), -1)


@st.composite
def chains(draw: st.DrawFn, shape: Shape, most: int) -> nn.Sequential:
    """Blocks, each of which takes what the one before it gives."""
    blocks = []
    for _ in range(draw(st.integers(1, most))):
        block = draw(of_kind(draw(st.sampled_from(KINDS)), shape))
        try:
            next_shape = after(block, shape)
        except (RuntimeError, ValueError):  # windows larger than the map, say
            continue
        if len(next_shape) == 3 and min(next_shape) > 0 and max(next_shape) <= 16:
            blocks.append(block)
            shape = next_shape
    return nn.Sequential(*(blocks or [nn.Conv2d(shape[0], 2, 1)]))


KINDS = ["conv", "conv", "same", "pool", "mean", "adaptive", "norm", "act", "pad", "function", "joined", "module"]


@st.composite
def of_kind(draw: st.DrawFn, kind: str, shape: Shape) -> nn.Module:
    """A block; for some settings torch has no such."""
    channels, small, pair = shape[0], st.integers(1, 3), st.tuples(st.integers(1, 3), st.integers(1, 3))
    if kind == "conv":
        kernel = draw(pair)
        groups = draw(st.sampled_from([1, channels]))
        return nn.Conv2d(
            channels, groups * draw(st.integers(1, 2)), kernel, stride=draw(pair),
            dilation=draw(pair) if shape[2] > 1 else 1,  # the module's own forward ends the process: convolution.sound
            padding=draw(st.tuples(*(st.integers(0, k - 1) for k in kernel))), groups=groups, bias=draw(st.booleans()),
            padding_mode=draw(st.sampled_from(["zeros", "zeros", "zeros", "circular"])),
        )  # fmt: skip
    if kind == "same":
        return nn.Conv2d(channels, draw(small), draw(st.sampled_from([1, 3, 2])), padding="same", dilation=draw(small))
    if kind == "pool":
        size = draw(small)
        return nn.MaxPool2d(
            size, draw(small), draw(st.integers(0, size // 2)), draw(small), ceil_mode=draw(st.booleans())
        )
    if kind == "mean":
        size = draw(small)
        return nn.AvgPool2d(
            size, draw(small), draw(st.integers(0, size // 2)), draw(st.booleans()), draw(st.booleans()),
            draw(st.sampled_from([None, None, 3])),
        )  # fmt: skip
    if kind == "adaptive":
        size = draw(st.sampled_from([1, 2, (None, 1), (3, 2)]))
        return draw(st.sampled_from([nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d]))(size)
    if kind == "norm":
        norm = nn.BatchNorm2d(channels, affine=draw(st.booleans()))
        with torch.no_grad():
            norm.running_mean.normal_()  # type: ignore[union-attr]
            norm.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
        return norm
    if kind == "act":
        over = draw(st.booleans())
        choice = [
            nn.ReLU(over), nn.ReLU6(over), nn.Hardswish(over), nn.LeakyReLU(0.1, over), nn.Tanh(), nn.Dropout(0.5),
            nn.GELU(), nn.PReLU(channels), nn.LocalResponseNorm(3), nn.Identity(),
        ]  # fmt: skip
        return draw(st.sampled_from(choice))
    if kind == "pad":
        sides = draw(st.tuples(*[st.integers(-1, 2)] * 4))
        return nn.ConstantPad2d(sides, 0.5) if draw(st.booleans()) else nn.ZeroPad2d(sides)
    if kind == "function":
        return Function(draw(st.sampled_from(sorted(FUNCTIONS))))
    if kind == "module":
        choice = [Normalised(channels), Excited(channels), nn.ChannelShuffle(channels), nn.Upsample(scale_factor=2)]
        if shape[1] * shape[2] > 1:
            choice.append(nn.GroupNorm(1, channels))
        return draw(st.sampled_from(choice))
    how = draw(st.sampled_from(["cat", "mul", "iadd", "add"]))
    # what a rectifier gave torch keeps for its gradient, and nobody may write into it
    return Joined(draw(keeping(channels, rectified=how in ("cat", "mul"))), draw(keeping(channels)), how)


@st.composite
def keeping(draw: st.DrawFn, channels: int, *, rectified: bool = True) -> nn.Module:
    """A branch that keeps the shape, and what it is given."""
    size = draw(st.sampled_from([1, 3]))
    choice = [
        nn.BatchNorm2d(channels),
        nn.Dropout(),
        nn.Identity(),
        *([nn.ReLU(), nn.ReLU(inplace=True)] if rectified else []),
    ]
    last = draw(st.sampled_from(choice))
    return nn.Sequential(nn.Conv2d(channels, channels, size, padding=size // 2), last)


def after(module: nn.Module, shape: Shape) -> Shape:
    """Shape of what a module gives; a ValueError where that is the maximum of nothing."""
    module.eval()
    with torch.no_grad():
        output = module(torch.zeros(2, *shape))
    if not output.isfinite().all():
        raise ValueError("a window lies in the padding")
    return tuple(output.shape[1:])
