"""Only what windows change is computed, and it comes out as it does when all is: random torch modules."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from helpers.patched import origins, read, set_in, some_units  # noqa: E402
from helpers.random_modules import modules  # noqa: E402
from torch import nn  # noqa: E402

from predicdiff.errors import BlobError  # noqa: E402
from predicdiff.nets.engine import linear  # noqa: E402
from predicdiff.nets.modules.net import ModuleNet  # noqa: E402

# of kernels of even size, once in a process
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")


def wanted_of(
    module: nn.Module,
    image: np.ndarray,
    places: np.ndarray,
    patches: np.ndarray,
    *,
    blob: str,
    start: str | None = None,
) -> np.ndarray:
    """A submodule's output (n S, ...), by hooks alone, with patches set into the image or into another's output."""
    module, captured = copy.deepcopy(module).eval(), {}
    changed = torch.tensor(image)[None]
    if start is None:
        changed = torch.tensor(set_in(image, places, patches))
    else:
        ground = wanted_of(module, image, np.zeros((1, 2), int), image[None, None, :, :1, :1], blob=start)[0]
        maps = ground.reshape(*ground.shape, 1, 1) if ground.ndim == 1 else ground
        hidden = torch.tensor(set_in(maps, places, patches)).reshape(-1, *ground.shape)
        changed = changed.expand(len(hidden), -1, -1, -1)
        module.get_submodule(start).register_forward_hook(lambda *_: hidden.clone())
    if blob != "output":
        module.get_submodule(blob).register_forward_hook(lambda *arguments: captured.update(value=arguments[2].clone()))
    with torch.no_grad():
        result = module(changed.clone())
    return captured.get("value", result).numpy()


def agree(values: np.ndarray, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(values, wanted, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(wanted).max())))


@settings(max_examples=60)
@given(data=st.data(), hidden=st.booleans())
def test_random_modules(data: st.DataObject, hidden: bool) -> None:
    shape = data.draw(st.tuples(st.integers(1, 3), st.integers(4, 10), st.integers(4, 10)))
    module = data.draw(modules(shape))
    net = ModuleNet(module, input_shape=shape, output="activation", device="cpu")
    assert net.dense_because is None
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    blobs = list(net.blobs)
    start = data.draw(st.sampled_from(["0", *blobs[:-1]])) if hidden else None
    ground = (*(shape if start is None else net.blobs[start]), 1, 1)[:3]
    blob = data.draw(st.sampled_from(blobs)) if start is None else "output"
    window, places = data.draw(origins(ground[1:]))
    image = generator.standard_normal(shape).astype(np.float32)
    patches = generator.standard_normal((len(places), data.draw(st.integers(1, 4)), ground[0], *window))
    patches = patches.astype(np.float32)
    units = data.draw(some_units(net.blobs[blob]))
    ask: dict[str, Any] = {"blob": blob, "units": units, "batch_size": data.draw(st.integers(1, 14))}
    if start is not None:
        try:
            net.check_downstream(start, blob)
        except (
            BlobError,
            RuntimeError,
        ):  # nothing, or nothing that torch had a gradient of, where layers work in place
            return
        ask["start"] = start
    wanted = read(wanted_of(module, image, places, patches, blob=blob, start=start), units, patches)
    agree(net.evaluate(image, places, patches, **ask), wanted)
    net.incremental = False
    agree(net.evaluate(image, places, patches, **ask), wanted)


# chosen modules


SHAPE = (2, 8, 9)


def evaluated(module: nn.Module, **change: Any) -> tuple[ModuleNet, np.ndarray, np.ndarray]:
    """The net of a module, what it gives for windows in a corner and inside, and what it should."""
    torch.manual_seed(0)
    net = ModuleNet(module, input_shape=SHAPE, output="activation", device="cpu")
    generator = np.random.default_rng(1)
    image = generator.standard_normal(SHAPE).astype(np.float32)
    places = np.array([[0, 0], [3, 2], [5, 6]])
    patches = generator.standard_normal((3, 4, 2, 3, 3)).astype(np.float32)
    ask: dict[str, Any] = {"blob": "output", "units": [(0,), (1,)], "batch_size": 6, **change}
    values = net.evaluate(image, places, patches, **ask)
    return net, values, read(wanted_of(module, image, places, patches, blob=ask["blob"]), ask["units"], patches)


class Shared(nn.Module):
    """Two names for one map, of which a rectifier works on one in place."""

    def __init__(self, way: nn.Module, again: nn.Module) -> None:
        super().__init__()
        self.conv, self.way, self.again, self.relu = nn.Conv2d(2, 2, 3, padding=1), way, again, nn.ReLU()

    def forward(self, x: Any) -> Any:
        x = self.conv(x)
        y = self.way(x)
        z = self.relu(self.again(x))
        return z.sum((2, 3)) + y.sum((2, 3))


@pytest.mark.parametrize("again", [nn.Identity(), nn.Dropout(), nn.ZeroPad2d(1), nn.ZeroPad2d((0, 1, 0, 0))], ids=repr)
def test_a_rectifier_leaves_others_their_values(again: nn.Module) -> None:
    for way in (nn.Identity(), nn.Dropout(), nn.Conv2d(2, 2, 1), nn.Softplus()):
        for one, other in ((way, again), (again, way)):
            _, values, wanted = evaluated(Shared(one, other))
            agree(values, wanted)


class Skips(nn.Module):
    """Gives what it is given, as what is dropped in training does."""

    def forward(self, x: Any) -> Any:
        return x


class Around(nn.Module):
    """A map that is read both before and behind a part that gives it as it is."""

    def __init__(self, skip: nn.Module) -> None:
        super().__init__()
        self.conv, self.skip, self.last = nn.Conv2d(2, 2, 3, padding=1), skip, nn.Conv2d(2, 2, 3)

    def forward(self, x: Any) -> Any:
        x = self.conv(x)
        y = self.skip(x)
        return (self.last(y).sum((2, 3)) + (x * x).mean((2, 3))) / 9


@pytest.mark.parametrize("skip", [Skips(), nn.Identity(), nn.Dropout(), nn.Sequential(), nn.Sequential(Skips())])
def test_a_start_that_gives_what_it_is_given_leaves_that_to_others(skip: nn.Module) -> None:
    module = Around(skip)
    net = ModuleNet(module, input_shape=SHAPE, output="activation", device="cpu")
    assert net.dense_because is None
    generator = np.random.default_rng(1)
    image = generator.standard_normal(SHAPE).astype(np.float32)
    patches, places = generator.standard_normal((2, 3, 2, 3, 3)).astype(np.float32), np.array([[0, 0], [4, 5]])
    ask: dict[str, Any] = {"blob": "output", "units": [(0,), (1,)]}
    for start in ("skip", "conv"):
        values = net.evaluate(image, places, patches, batch_size=4, start=start, **ask)
        wanted = wanted_of(module, image, places, patches, blob="output", start=start)
        agree(values, read(wanted, ask["units"], patches))


class Gated(nn.Module):
    """What a map is multiplied by depends on all of it, by way of tensors that are no floats."""

    def forward(self, x: Any) -> Any:
        bright = (x > 2.5).flatten(1).any(1)
        return x * bright.view(-1, 1, 1, 1)


def test_what_depends_on_all_of_the_map_by_way_of_no_floats() -> None:
    net = ModuleNet(Gated(), input_shape=(1, 6, 6), output="activation", device="cpu")
    image = np.full((1, 6, 6), 1, np.float32)
    image[0, 5, 5] = 3
    patches = np.full((1, 2, 1, 2, 2), 2, np.float32)
    values = net.evaluate(image, np.array([[0, 0]]), patches, blob="output", units=[(0, 0, 0)], batch_size=2)
    assert values.ravel().tolist() == [2, 2], "the bright place lies elsewhere"
    values = net.evaluate(image, np.array([[4, 4]]), patches, blob="output", units=[(0, 0, 0)], batch_size=2)
    assert values.ravel().tolist() == [0, 0], "the bright place is gone"


class Choosing(nn.Module):
    """Another way for bright images than for dark ones, which no trace can follow."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3)

    def forward(self, x: Any) -> Any:
        return self.conv(x) if x.mean() > 1e9 else self.conv(-x)


@pytest.mark.parametrize("blob", ["output", "conv"])
def test_a_module_that_cannot_be_traced_is_run_whole(blob: str) -> None:
    net, values, wanted = evaluated(Choosing(), blob=blob, units=[(0, 1, 2), (1,)])
    assert net.dense_because == "it reads values on the way (__bool__)"
    agree(values, wanted)
    assert net.work.done == net.work.dense


def test_hidden_starts_of_a_module_that_cannot_be_traced() -> None:
    class Deeper(Choosing):
        def forward(self, x: Any) -> Any:
            return super().forward(x).relu()

    module = Deeper()
    net, _, _ = evaluated(module)
    assert net.dense_because is not None
    image, patches = np.ones(SHAPE, np.float32), np.random.default_rng(0).standard_normal((2, 3, 2, 2, 2))
    places, patches = np.array([[0, 0], [4, 5]]), patches.astype(np.float32)
    values = net.evaluate(image, places, patches, blob="output", units=[(1,)], batch_size=4, start="conv")
    agree(values, read(wanted_of(module, image, places, patches, blob="output", start="conv"), [(1,)], patches))


def test_modules_inside_a_layer_of_torchs_own() -> None:
    """They are called, so they are blobs; the trace does not look inside."""

    class Transformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.TransformerEncoderLayer(2, 1, 4, batch_first=True)

        def forward(self, x: Any) -> Any:
            return self.layer(x.flatten(2).transpose(1, 2)).mean(1)

    _, values, wanted = evaluated(Transformer())
    agree(values, wanted)
    for blob in ("layer.norm1", "layer.norm2"):
        net, values, wanted = evaluated(Transformer(), blob=blob)
        agree(values, wanted)
        assert min(net.bytes_needed(blob, start=None, window=2)) > 0


def test_hooks_of_others_see_whole_maps() -> None:
    module = nn.Sequential(nn.Conv2d(2, 2, 3), nn.ReLU())
    module[0].register_forward_hook(lambda *arguments: arguments[2].cumsum(3))
    _, values, wanted = evaluated(module)
    agree(values, wanted)
    module = nn.Sequential(nn.Tanh(), nn.Conv2d(2, 2, 3))
    module[1].register_forward_pre_hook(lambda _, inputs: (inputs[0].flip(3),))
    _, values, wanted = evaluated(module)
    agree(values, wanted)


def test_a_view_of_a_map_made_contiguous() -> None:
    """On the CPU maps lie with their channels last, and `view` wants them first."""

    class Views(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 3, 3)

        def forward(self, x: Any) -> Any:
            return self.conv(x).contiguous().view(-1, 3 * 6 * 7)

    net, values, wanted = evaluated(Views(), units=[(0,), (125,)])
    assert net._layout == torch.channels_last
    agree(values, wanted)


def test_a_view_across_the_batch_of_what_no_window_changes() -> None:
    class Halves(nn.Module):
        def forward(self, x: Any) -> Any:
            x = nn.functional.max_pool2d(x, 1, stride=4)
            halves = x.view(x.size(0) * 2, 1, 2, 3)
            return halves.sum((1, 2, 3)).view(x.size(0), 2)

    _, values, wanted = evaluated(Halves())
    agree(values, wanted)


def test_a_module_that_is_not_defined_below_zero() -> None:
    """What it gives for the numbers that its trace is tried with is no number."""

    class Rooted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3)

        def forward(self, x: Any) -> Any:
            return self.conv(x.sqrt())

    net = ModuleNet(Rooted(), input_shape=SHAPE, output="activation", device="cpu")
    image, patches = np.full(SHAPE, 4, np.float32), np.full((2, 3, 2, 2, 2), 9, np.float32)
    places = np.array([[0, 0], [4, 5]])
    values = net.evaluate(image, places, patches, blob="output", units=[(1,)], batch_size=4)
    agree(values, read(wanted_of(net.module, image, places, patches, blob="output"), [(1,)], patches))
    assert net.work.done < net.work.dense


def test_work_of_a_module_as_counted_by_hand() -> None:
    """Of 8 x 9 places the convolution reads the 3 x 3 that a window changes."""
    module = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(216, 2))
    net, values, wanted = evaluated(module, batch_size=4)
    agree(values, wanted)
    assert net.work.done == 4 * (3 * 9 * 3 * 2 * 9 + 3 * 432)
    assert net.work.dense == 3 * 4 * (72 * 3 * 2 * 9 + 432)


@pytest.mark.parametrize("least", [1, linear.LEAST])
def test_weights_may_change_between_two_calls(least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "LEAST", least)  # so that one computes a linear layer of what has changed
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(126, 2))
    net, _, _ = evaluated(module)
    image, places = np.ones(SHAPE, np.float32), np.array([[1, 1]])
    patches = np.zeros((1, 1, 2, 2, 2), np.float32)
    for _ in range(2):
        with torch.no_grad():
            for tensor in (*module.parameters(), module[1].running_mean):
                tensor += 0.1
        values = net.evaluate(image, places, patches, blob="output", units=[(0,), (1,)], batch_size=1)
        agree(values, read(wanted_of(module, image, places, patches, blob="output"), [(0,), (1,)], patches))
