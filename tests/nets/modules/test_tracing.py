"""Modules as they come: what loading leaves behind, what hooks see, and what is run whole, with a reason."""

from __future__ import annotations

import copy
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from helpers.patched import set_in  # noqa: E402
from torch import Tensor, fx, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from predicdiff import budget  # noqa: E402
from predicdiff.errors import BlobError  # noqa: E402
from predicdiff.nets.modules.net import ModuleNet  # noqa: E402
from predicdiff.nets.modules.operations import OPERATIONS, Placewise  # noqa: E402
from predicdiff.nets.modules.tracing import many  # noqa: E402

SHAPE = (3, 9, 8)
SHARED = "it writes on memory that several tensors share, or in a way that is not seen"
PLACES = np.array([[0, 0], [3, 4], [6, 5], [2, 1]])


class Does(nn.Module):
    """A function, with layers at hand; what a function of the class needs besides comes by name."""

    def __init__(self, function: Any, **parts: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 2, 3)
        self.last = nn.Linear(4, 5)
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def plain(m: Any, x: Tensor) -> Tensor:
    return m.last(m.first(x).relu().mean((2, 3)))


def check(module: nn.Module, **settings: Any) -> ModuleNet:
    """The net of a module, once what it evaluates is found to be what the module gives, alone as in batches."""
    net = ModuleNet(module, input_shape=SHAPE, device="cpu", **{"output": "activation", **settings})
    generator = np.random.default_rng(1)
    image = generator.standard_normal(SHAPE).astype(np.float32)
    patches = generator.standard_normal((4, 2, 3, 3, 3)).astype(np.float32)
    inputs, copied = set_in(image, PLACES, patches), copy.deepcopy(module).eval()
    with torch.no_grad():
        wanted = copied(torch.tensor(inputs)).float().numpy()
    units = [(unit,) for unit in range(wanted.shape[1])]
    for batch in (1, 3):
        values = net.evaluate(image, PLACES, patches, blob="output", units=units, batch_size=batch)
        np.testing.assert_allclose(values.reshape(wanted.shape), wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())
    for count in (1, 3):
        for value in net.forward(inputs[:count], list(net.blobs)).values():
            assert len(value) == count
    return net


# what loading leaves behind


class Keeps(nn.Module):
    """What it computed last, all that it ever computed, and a tensor that is made anew each time."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.kept = nn.Conv2d(3, 4, 3), []

    def forward(self, x: Tensor) -> Tensor:
        self.kept.append(self.conv(x))
        return self.kept[-1] * torch.tensor(2.0)


def test_nothing_of_the_trace_is_left() -> None:
    module = nn.Sequential(Keeps(), nn.Dropout(), nn.Flatten()).train()
    heard: list[Any] = []
    module[0].register_forward_hook(lambda *arguments: heard.append(arguments[2]))
    before = {child: (set(vars(child)), child.training, len(child._forward_hooks)) for child in module.modules()}
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    numbers = (torch.rand(1), random.random(), np.random.rand())
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    ModuleNet(module, input_shape=SHAPE, device="cpu", output="activation")
    ModuleNet(nn.Sequential(Draws(), module), input_shape=SHAPE, device="cpu", output="activation")
    assert numbers == (torch.rand(1), random.random(), np.random.rand())
    assert {child: (set(vars(child)), child.training, len(child._forward_hooks)) for child in before} == before
    assert {type(value) for value in (*heard, *module[0].kept)} == {Tensor}
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


class Draws(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand(1) + random.random() + np.random.rand()


def test_a_module_is_taken_whatever_torch_makes_of_numbers_by_default() -> None:
    module = Does(plain)
    torch.set_default_dtype(torch.float64)
    try:
        net = ModuleNet(module, input_shape=SHAPE, device="cpu")
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert net.dense_because is None


# hooks that change what is computed


def test_a_part_with_hooks_is_one_call_that_counts_them() -> None:
    part = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.Sigmoid())
    module = Does(lambda m, x: m.part(m.first(x).relu()).mean((2, 3)), part=part)
    part.register_forward_hook(lambda *arguments: arguments[2] * torch.tensor([0.0, 1.0, 2.0, -1.0])[:, None, None])
    part.register_forward_pre_hook(lambda _, inputs: (inputs[0].flip(3),))
    net = check(module)
    assert net.evaluation("output") == "incremental up to part (Sequential)"
    assert net.evaluation("part.0") == "dense, since part.0 lies inside of a module that is run as a whole"


def test_a_part_with_hooks_that_works_in_place() -> None:
    part = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(4, 4, 1))
    part.register_forward_hook(lambda *_: None)
    assert check(Does(lambda m, x: m.part(m.first(x)).mean((2, 3)), part=part)).dense_because is None
    module = Does(lambda m, x: torch.add(m.part(y := m.first(x)), y).mean((2, 3)), part=part)  # y is changed by then
    assert check(module).dense_because == SHARED


def test_a_part_with_a_forward_of_its_own_is_one_call() -> None:
    part = nn.Conv2d(4, 4, 3, padding=1)
    given = part.forward
    part.forward = lambda x: given(x).flip(3)  # type: ignore[method-assign]
    net = check(Does(lambda m, x: m.part(m.first(x).relu()).mean((2, 3)), part=part))
    assert net.evaluation("output") == "incremental up to part (Conv2d)"


@pytest.mark.parametrize(
    "turned",
    [
        lambda m, x: functional.local_response_norm(x.transpose(1, 2) * 30, 5).transpose(1, 2),
        lambda m, x: functional.batch_norm(x.transpose(1, 2), m.rows, 1 + m.rows).transpose(1, 2),
        lambda m, x: m.slopes(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
    ],
)
def test_rows_in_the_place_of_channels(turned: Any) -> None:
    slopes = nn.PReLU(9)
    nn.init.uniform_(slopes.weight)
    module = Does(lambda m, x: m.last(turned(m, m.first(x)).mean((2, 3))), slopes=slopes)
    module.register_buffer("rows", torch.arange(9.0))
    net = check(module)
    assert net.dense_because is None
    assert net.evaluation("output") != "incremental"


def test_what_shows_in_large_numbers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPERATIONS, Turned, Placewise())
    module = Does(lambda m, x: m.last((y := m.first(x)).where(y.abs() < 9, m.part(y)).mean((2, 3))), part=Turned())
    net = ModuleNet(module, input_shape=SHAPE, device="cpu")
    assert net.dense_because == "its trace gives other values where only what changes is computed"


def test_hooks_on_all_of_a_module() -> None:
    module = Does(plain)
    module.register_forward_hook(lambda *arguments: arguments[2].clamp(max=0.1))
    assert check(module).dense_because == "hooks listen to the whole module"
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        assert check(Does(plain)).dense_because == "hooks listen to all modules"
    finally:
        handle.remove()


# what the graph is made of is the module's own


def test_what_changes_after_loading_counts() -> None:
    module = Does(lambda m, x: plain(m, x * m.factors[0]) * m.scale, factors=[torch.ones(3, 1, 1)])
    module.scale = nn.Parameter(torch.ones(1))
    net = check(module)
    assert net.dense_because is None
    image, window = np.ones(SHAPE, np.float32), np.zeros((1, 1, 3, 2, 2), np.float32)
    changes = [
        lambda: module.factors[0].mul_(3),
        lambda: setattr(module, "scale", nn.Parameter(torch.full((1,), 2.0))),
        lambda: module.first.bias.data.fill_(1.0),
    ]
    for change in changes:
        change()
        values = net.evaluate(image, PLACES[:1], window, blob="output", units=[(0,)], batch_size=1)
        with torch.no_grad():
            wanted = module(torch.tensor(set_in(image, PLACES[:1], window)))[0, 0]
        np.testing.assert_allclose(values[0, 0, 0], wanted.numpy(), rtol=1e-5)


class OwnCopy(Does):
    def __deepcopy__(self, memo: Any) -> Any:
        return self


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Does(plain, lock=threading.Lock()), "no copy can be made to trace (TypeError)"),
        (OwnCopy(plain), "no copy can be made to trace (it says that it is its own)"),
        (Does(lambda m, x: plain(m, x) if x.sum() < 1e9 else x), "it reads values on the way (__bool__)"),
    ],
)
def test_modules_that_cannot_be_traced(module: nn.Module, reason: str) -> None:
    assert ModuleNet(module, input_shape=SHAPE, device="cpu").dense_because == reason


# precision that a module sets by itself, and axes that are not the batch


def halved(m: Any, x: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return plain(m, x)


@pytest.mark.parametrize("function", [halved, lambda m, x: halved(m, x).float()])
def test_autocast_inside_of_a_module(function: Any) -> None:
    module = Does(function)
    net = ModuleNet(module, input_shape=SHAPE, device="cpu")
    assert net.evaluation("prob") == "dense, since it sets torch.autocast by itself"
    image = np.random.default_rng(0).standard_normal((1, *SHAPE)).astype(np.float32)
    with torch.no_grad():
        wanted = torch.softmax(module(torch.tensor(image)).double(), 1)
    np.testing.assert_allclose(net.forward(image, ["prob"])["prob"], wanted, rtol=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: torch.stack([m.first(x), m.first(x.flip(1))]).sum(0).relu().mean((2, 3)),
        lambda m, x: m.second(x).transpose(0, 1).relu().tanh().mean((2, 3)).t(),
        lambda m, x: plain(m, x) + functional.pad(m.part(m.second(x).mean((2, 3)).t()).t(), (0, 3)),
        lambda m, x: plain(m, x) + m.part(m.second.weight.view(2, -1))[:, :5].sum(0),
    ],
)
def test_a_first_axis_of_two_that_is_not_the_batch(function: Any) -> None:
    net = check(Does(function, part=nn.Identity()))
    assert net.dense_because is None
    assert "part" not in net.blobs


def test_a_module_that_takes_a_batch_of_one_away() -> None:
    assert check(Does(lambda m, x: m.last(m.first(x).mean((2, 3), keepdim=True).squeeze()))).dense_because is not None
    module = Does(lambda m, x: m.part(m.first(x)).reshape(-1, 4), part=Squeezed())
    net = ModuleNet(module, input_shape=SHAPE, device="cpu")
    with pytest.raises(BlobError, match=r"'part' .* is \(4,\) for 1 inputs: want \(1, 4\)"):
        net.forward(np.zeros((1, *SHAPE)), ["part"])


class Squeezed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.amax((2, 3), keepdim=True).squeeze()


# what is believed of operations, tried out


class Turned(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flip(2)


def unable(node: Any, call: Any) -> Any:
    raise KeyError("stride")


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (Placewise(), "its trace gives other values where only what changes is computed"),
        (unable, "its trace cannot be used (KeyError: 'stride')"),
    ],
)
def test_rules_that_are_wrong(rule: Any, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPERATIONS, Turned, rule)
    module = Does(lambda m, x: m.last(m.part(m.first(x))[:, :, 3:].mean((2, 3))), part=Turned())
    assert check(module).dense_because == reason


# others, beside


def test_nothing_is_printed_of_a_module_that_torch_fx_made(capfd: pytest.CaptureFixture[str]) -> None:
    module = fx.symbolic_trace(Does(lambda m, x: m.first(x).view(x.size(0), -1)))
    net = check(module)
    assert net.dense_because is None
    assert net._layout == torch.contiguous_format
    assert capfd.readouterr() == ("", "")


def test_threads_compute_while_another_traces() -> None:
    """Torch.fx changes all modules while it traces one."""
    traced, released = threading.Event(), threading.Event()

    def waits(m: Any, x: Any) -> Any:
        if threading.current_thread() is not threading.main_thread() and not traced.is_set():
            traced.set()
            assert released.wait(20)
        return m.last(m.part(x).relu().mean((2, 3)))

    part = nn.Sequential(nn.Conv2d(3, 4, 3))
    with ThreadPoolExecutor(2) as pool:
        loading = pool.submit(check, Does(waits, part=part))
        assert traced.wait(20)
        inputs = torch.linspace(-1, 1, 216).view(1, *SHAPE)
        with torch.no_grad():
            beside = [part(inputs), nn.Sequential(part, nn.ReLU())(inputs)]
            released.set()
            assert loading.result().dense_because is None
            torch.testing.assert_close(beside, [part(inputs), part(inputs).relu()])


def test_a_trace_takes_as_many_images_as_memory_has_room_for() -> None:
    with budget.within(10**7):
        assert [many((3, 64, 64), each) for each in (0, 150_000, 10**6)] == [65, 65, 10]
    module = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert ModuleNet(module, input_shape=(3, 64, 64)).dense_because is None
    with budget.within(10**6):  # one image and the 16 maps of it take 300 kB
        because = ModuleNet(module, input_shape=(3, 64, 64)).dense_because
    assert because == "its trace takes a pass of 4 images, for which memory has no room (--memory)"
