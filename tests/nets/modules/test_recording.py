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


def by_masks(m: Any, x: Tensor) -> Tensor:
    """Masks that are changed in place, and were read before."""
    mask = m.conv(x) > 0
    count = mask.sum((1, 2, 3))
    mask ^= x > 1
    mask |= x < -1
    x = x.clone()
    x %= 3
    return torch.where(mask, x, x * count.view(-1, 1, 1, 1))


@pytest.mark.parametrize("function", [by_shape, in_windows, in_parts, by_masks])
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


SHARED = "it writes on memory that several tensors share, or in a way that is not seen"
BATCH = "what it calls hangs on how many images come at once"


def written(write: Any) -> Any:
    """A module that writes on a part of a map, and reads the map."""

    def forward(m: Any, x: Tensor) -> Tensor:
        h = m.conv(x)
        write(h)
        return h * 2

    return forward


def clamp_unseen(x: Tensor) -> None:
    with torch._C.DisableTorchFunction():  # as in compiled code
        x.clamp_(-3.0, 3.0)


def setting_numbers(m: Any, x: Tensor) -> Tensor:
    torch.set_default_dtype(torch.float64)
    try:
        return x + torch.zeros(1).to(x)
    finally:
        torch.set_default_dtype(torch.float32)


def in_autocast(m: Any, x: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return x.softmax(1)


def in_inference(m: Any, x: Tensor) -> Tensor:
    with torch.inference_mode():
        return m.conv(x)


def swallowing(m: Any, x: Tensor) -> Tensor:
    try:
        return x * float(x.mean())
    except Exception:
        return x


def counting(m: Any, x: Tensor) -> Tensor:
    m.seen += 1
    return x * m.seen


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda m, x: x * float(x.mean()), r"it reads values on the way \(__float__\)"),
        (lambda m, x: x + torch.from_numpy(x.numpy()), r"it reads values on the way \(numpy\)"),
        (lambda m, x: x * m.conv.weight.sum().item(), r"it reads values on the way \(item\)"),
        (lambda m, x: m.conv(x) if len(x) == 2 else x, BATCH),
        (lambda m, x: x / (0.5 * len(x)), BATCH),
        (lambda m, x: x * torch.tensor([2.0]).as_subclass(Own).plain(), "it makes tensors otherwise"),
        (written(lambda h: h.chunk(2, 1)[0].clamp_(-3, 3)), SHARED),
        (written(lambda h: h.view(len(h), -1).clamp_(-3, 3)), SHARED),
        (written(lambda h: h.data.clamp_(-3, 3)), SHARED),
        (written(lambda h: functional.relu(h[:, 0], inplace=True)), SHARED),
        (written(lambda h: nn.ReLU(inplace=True)(h[:, 0])), SHARED),
        (written(clamp_unseen), SHARED),
        (lambda m, x: x * m.conv.weight.data[0].zero_().sum(), "it writes on a tensor of its own"),
        (written(lambda h: torch.clamp(h, -3, 3, out=h)), "it writes on tensors of other calls"),
        (lambda m, x: x if x[x > 5].numel() else x * 2, "it makes shapes of values"),
        (lambda m, x: x * (x > 5).nonzero().shape[0], "it makes shapes of values"),
        (lambda m, x: x * len(torch.arange((x > 5).sum())), "it makes shapes of values"),
        (lambda m, x: x * len(torch.unique(x)), "it makes shapes of values"),
        (lambda m, x: x * (x.data_ptr() % 7), "it reads values on the way"),
        (lambda m, x: torch.cat([m.conv(part) for part in x.split(8)]), BATCH),
        (lambda m, x: torch.cat([m.conv(part) for part in x.split(1000)]), BATCH),
        (lambda m, x: torch.cat([m.conv(x[i : i + 1000]) for i in range(0, len(x), 1000)]), BATCH),
        (lambda m, x: x * 2 if len(x) > 8 else x, BATCH),
        (setting_numbers, "it sets torch's default numbers by itself"),
        (in_autocast, "it sets torch.autocast by itself"),
        (in_inference, "it sets torch.inference_mode by itself"),
        (swallowing, r"it reads values on the way \(__float__\)"),
        (counting, "it writes on a tensor of its own"),
    ],
)
def test_what_no_trace_can_follow(function: Any, words: str) -> None:
    module = Does(function).eval()
    with torch.inference_mode(), pytest.raises(UntraceableError, match=words):
        module_graph(module, torch.zeros(2, 2, 6, 5))


class Own(Tensor):
    """Makes a tensor where no function of torch's is seen."""

    def plain(self) -> Tensor:
        with torch._C.DisableTorchFunction():
            return torch.ones(1)
