"""Torch modules as graphs: same values, same blobs, and what has none."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from predicdiff.nets.engine.graph import Concat, Local, Pointwise, Whole  # noqa: E402
from predicdiff.nets.modules.endings import Ending  # noqa: E402
from predicdiff.nets.modules.graph import ModuleGraph, UntraceableError, module_graph  # noqa: E402


def traced(module: nn.Module, shape: tuple[int, ...] = (2, 6, 5)) -> ModuleGraph:
    with torch.inference_mode():
        return module_graph(module.eval(), torch.zeros(2, *shape))


def kinds(module: nn.Module) -> list[str]:
    return [node.kind for node in traced(module).graph.nodes]


def same(module: nn.Module, shape: tuple[int, ...] = (2, 6, 5)) -> ModuleGraph:
    """The graph, which gives what the module does and leaves its inputs as they were."""
    trace = traced(module, shape)
    inputs = torch.randn(3, *shape)
    before = inputs.clone()
    with torch.inference_mode():
        torch.testing.assert_close(trace.run(inputs), module(inputs.clone()))
    assert torch.equal(inputs, before)
    return trace


class Does(nn.Module):
    """A function, with a convolution at hand."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.register_buffer("mean", torch.randn(1, 2, 1, 1))
        self.register_buffer("rows", torch.randn(6, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (lambda m, x: m.conv(x).relu() + x, [Local, Pointwise, Pointwise]),
        (lambda m, x: m.conv((x - m.mean) * 2), [Pointwise, Pointwise, Local]),
        (lambda m, x: torch.cat([x, m.conv(x)], dim=1), [Local, Concat]),
        (lambda m, x: torch.cat((x, m.conv(x)), -3), [Local, Concat]),
        (lambda m, x: torch.cat([x, x], 2), [Whole]),
        (lambda m, x: x + m.rows, [Whole]),
        (lambda m, x: x + torch.ones(2, 1, 1), [Pointwise]),
        (lambda m, x: x * x.size(1), [Pointwise]),
        (lambda m, x: x * x.mean((2, 3), keepdim=True), [Whole, Whole]),
        (lambda m, x: x * (x > 0).flatten(1).any(1).view(-1, 1, 1, 1), [Whole]),
        (lambda m, x: x.contiguous().view(x.size(0), -1), [Whole]),
        (lambda m, x: x.chunk(2, 1)[1].exp(), [Pointwise, Pointwise]),
        (lambda m, x: x[:, :, 1::2, :-1], [Local]),
        (lambda m, x: x.flip(2) + x.roll(1, 3), [Whole, Whole, Pointwise]),
        (lambda m, x: x.permute(0, 2, 3, 1).mean(-1, keepdim=True).permute(0, 3, 1, 2), [Pointwise] * 3),
        (lambda m, x: functional.layer_norm(x.permute(0, 2, 3, 1), (2,)).transpose(1, 3), [Pointwise] * 3 + [Whole]),
        (lambda m, x: functional.layer_norm(x, (5,)), [Whole]),
        (lambda m, x: functional.linear(x.movedim(1, -1), m.rows[:4].view(2, 2)).permute(0, 3, 1, 2), [Pointwise] * 3),
        (lambda m, x: functional.linear(x, m.rows[:5].T), [Whole]),
        (lambda m, x: x.view(-1, 2, 1, 6, 5).transpose(1, 2).reshape(-1, 2, 6, 5), [Pointwise] * 3),
        (lambda m, x: functional.conv2d(x, m.conv.weight / 2, m.conv.bias, 2, "valid"), [Local]),
        (lambda m, x: functional.conv2d(x, x.mean((0, 2, 3)).expand(2, 2)[..., None, None]), [Whole]),
        (lambda m, x: torch.cat([x.movedim(1, 3)] * 2, -1).movedim(3, 1), [Pointwise, Pointwise, Pointwise]),
        (lambda m, x: functional.pad(functional.max_pool2d(x, 2), (1, 1)), [Local, Local]),
        (lambda m, x: functional.adaptive_avg_pool2d(x, (3, 5)), [Local]),
        (lambda m, x: functional.adaptive_avg_pool2d(x, 4), [Whole]),
        (lambda m, x: functional.avg_pool2d(x, 2, count_include_pad=False), [Local]),
        (lambda m, x: functional.interpolate(x, scale_factor=2), [Local]),
    ],
)
def test_what_calls_join(function: Any, wanted: list[type]) -> None:
    """Nothing that depends on other places is taken for pointwise, whatever way it comes."""
    trace = same(Does(function))
    assert [type(node.kind) for node in trace.graph.nodes] == wanted
    assert len(trace.graph.shapes) == len(wanted) + 1


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: m.conv(x).relu_().add_(1).mul_(m.mean),
        lambda m, x: functional.relu(m.conv(x), inplace=True),
        lambda m, x: torch.relu_(m.conv(x)),
        lambda m, x: x.add_(1) * 2,
        lambda m, x: after(m.conv(x), lambda y: y.relu_()),
        lambda m, x: after(m.conv(x), lambda y: functional.relu_(y)),
    ],
)
def test_calls_in_place_change_what_others_hold(function: Any) -> None:
    same(Does(function))


def after(y: Tensor, change: Any) -> Tensor:
    """Reads a name that was bound before the change."""
    change(y)
    return y * 3


class Named(nn.Module):
    """Blobs that a later layer works on in place, that are called twice, that are no batches."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 2, 1)
        self.over = nn.ReLU(inplace=True)
        self.twice = nn.Tanh()
        self.pair = Pair()
        self.unused = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.twice(self.over(self.first(x)))
        one, other = self.pair(x)
        return self.twice(one * 2) - other


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x + 1


def test_blobs_are_what_submodules_returned() -> None:
    module = Named()
    trace = same(module)
    assert set(trace.graph.values) == {"first", "over", "twice"}
    inputs = torch.randn(3, 2, 6, 5)
    with torch.inference_mode():
        values = trace.graph.run(inputs, list(trace.graph.values.values()))
        first = module.first(inputs)
        torch.testing.assert_close(values[trace.graph.values["first"]], first)
        torch.testing.assert_close(values[trace.graph.values["over"]], first.relu())
        torch.testing.assert_close(values[trace.graph.values["twice"]], (first.relu().tanh() * 2).tanh())


def test_shapes_are_those_of_the_values() -> None:
    graph = same(nn.Sequential(nn.Conv2d(2, 3, 2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 4))).graph
    assert dict(graph.shapes) == {0: (2, 6, 5), 1: (3, 5, 4), 2: (3, 2, 2), 3: (12,), 4: (4,)}
    assert {name: graph.shapes[value] for name, value in graph.values.items()} == {
        "0": (3, 5, 4), "1": (3, 2, 2), "2": (12,), "3": (4,),
    }  # fmt: skip


@pytest.mark.parametrize("end", [None, lambda values: torch.softmax(values, 1)])
def test_what_the_module_returns_gets_names(end: Any) -> None:
    trace = traced(nn.Sequential(nn.Flatten(), nn.Linear(60, 1), nn.Flatten(0)))
    graph = trace.named((1,), Ending("logits", None if end is None else "prob", end))
    inputs = torch.randn(3, 2, 6, 5)
    with torch.inference_mode():
        values = graph.run(inputs, [graph.values["logits"], graph.values.get("prob", 0)])
        torch.testing.assert_close(values[graph.values["logits"]], trace.run(inputs)[:, None])
    assert graph.shapes[graph.values["logits"]] == (1,)
    assert ("prob" in graph.values) == (end is not None)
    if end is not None:
        assert values[graph.values["prob"]].tolist() == [[1], [1], [1]]


def test_work_is_counted_where_there_are_weights() -> None:
    nodes = traced(
        nn.Sequential(nn.Conv2d(2, 4, (3, 2), groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))
    ).graph.nodes
    assert [node.work for node in nodes] == [4 * 1 * 6, 0, 0, 64 * 5]


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Two(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


class Optional(nn.Module):
    def forward(self, x: Tensor, factor: int = 3) -> Tensor:
        return x * factor


class Constant(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.ones(2, 3)


class Listed(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [x]


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (Branching(), r"it reads values on the way \(__bool__\)"),
        (Two(), r"it cannot be traced \(TypeError\)"),
        (Constant(), "what it returns does not come from its input alone"),
        (Listed(), "what it returns does not come from its input alone"),
        (nn.Conv2d(3, 1, 1), r"it cannot be traced \(RuntimeError\)"),
        (
            Does(lambda m, x: torch.relu_(x > 0)),
            r"it cannot be traced \((RuntimeError|NotImplementedError)\)|works in place on what is no single tensor",
        ),
    ],
)
def test_modules_without_a_graph(module: nn.Module, words: str) -> None:
    with pytest.raises(UntraceableError, match=words):
        traced(module)


def test_a_second_input_with_a_value_of_its_own_is_left_at_that() -> None:
    same(Optional())
