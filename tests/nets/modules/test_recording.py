"""What Python does on the way is followed, as long as it looks at shapes alone and not at values or at the batch."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from predicdiff.nets.modules.graph import UntraceableError, module_graph  # noqa: E402


class Does(nn.Module):
    """A function of the module and its input."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def by_shape(m: Any, x: Tensor) -> Tensor:
    """Padding worked out on the way, a test of shapes, a class of outputs."""
    assert isinstance(x, Tensor)
    count, channels, height, width = x.shape
    if channels != 2 or (height + width) % 2 == 0:
        raise ValueError(f"{channels} channels of {height} x {width}")
    held = {"states": [functional.pad(x, (0, -width % 4, 0, -height % 4))]}
    for layer in [m.conv, *([torch.relu] if not torch.jit.is_tracing() else [])]:
        held["states"].append(layer(held["states"][-1]))
    return torch.stack(held["states"]).sum(0).reshape(count, -1)


def in_windows(m: Any, x: Tensor) -> Tensor:
    """Parts of all images as a longer batch, and back."""
    windows = x.reshape(len(x), 2, 3, 2, 5).transpose(1, 2).reshape(len(x) * 3, 2, 2, 5)
    return m.conv(windows).softmax(-1).reshape(x.shape[0], 60)


def in_parts(m: Any, x: Tensor) -> Tensor:
    """Written part by part into memory of its own."""
    filled = x.new_zeros(x.shape)
    for row in range(x.shape[2]):
        filled[:, :, row] = x[:, :, row] * row
    return filled


@pytest.mark.parametrize("function", [by_shape, in_windows, in_parts])
def test_what_python_does_by_shapes_is_followed(function: Any) -> None:
    module = Does(function).eval()
    with torch.inference_mode():
        graph = module_graph(module, torch.zeros(2, 2, 6, 5))
        for count in (1, 4):
            inputs = torch.randn(count, 2, 6, 5)
            torch.testing.assert_close(graph.run(inputs), module(inputs))


def test_whole_numbers_that_a_module_keeps_may_be_read() -> None:
    class Shaped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("shape", torch.tensor([-1, 2 * 6 * 5]))

        def forward(self, x: Tensor) -> Tensor:
            kept: Any = self.shape
            return x.reshape(torch.Size(kept)) if (kept < 0).any() else x * int(kept[0])

    with torch.inference_mode():
        module = Shaped().eval()
        graph = module_graph(module, torch.zeros(2, 2, 6, 5))
        for count in (1, 4):
            inputs = torch.randn(count, 2, 6, 5)
            torch.testing.assert_close(graph.run(inputs), module(inputs))


def counting(m: Any, x: Tensor) -> Tensor:
    m.seen += 1
    return x * m.seen


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda m, x: x * float(x.mean()), r"it reads values on the way \(__float__\)"),
        (lambda m, x: x + torch.from_numpy(x.numpy()), r"it reads values on the way \(numpy\)"),
        (lambda m, x: x * m.conv.weight.sum().item(), r"it reads values on the way \(item\)"),
        (lambda m, x: m.conv(x) if len(x) == 2 else x, "what it calls hangs on how many images come at once"),
        (lambda m, x: x / (0.5 * len(x)), "what it calls hangs on how many images come at once"),
        (lambda m, x: x * torch.tensor([2.0]).as_subclass(Own).plain(), "it makes tensors otherwise"),
        (counting, "it writes on a tensor of its own"),
    ],
)
def test_what_no_trace_can_follow(function: Any, words: str) -> None:
    with torch.inference_mode(), pytest.raises(UntraceableError, match=words):
        module_graph(Does(function).eval(), torch.zeros(2, 2, 6, 5))


class Own(Tensor):
    """Makes a tensor where no function of torch's is seen."""

    def plain(self) -> Tensor:
        with torch._C.DisableTorchFunction():
            return torch.ones(1)
