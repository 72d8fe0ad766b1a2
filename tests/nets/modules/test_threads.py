"""One module in several threads or nets at once: its mode, and the hooks of passes that run beside each other."""

from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from predicdiff.nets.modules.net import ModuleNet  # noqa: E402
from predicdiff.nets.modules.state import evaluating  # noqa: E402

SHAPE = (2, 6, 5)


def test_a_submodule_is_put_back_when_the_last_who_uses_it_has_finished() -> None:
    shared, never = nn.Dropout(), nn.Dropout().eval()
    one, other = nn.Sequential(shared, never), nn.Sequential(nn.ReLU(), shared)

    def training() -> list[bool]:
        return [module.training for module in (one, other, shared, never)]

    first, second, third = evaluating(one), evaluating(other), evaluating(one)
    first.__enter__()
    second.__enter__()
    third.__enter__()
    error = ZeroDivisionError("of the first")
    assert not first.__exit__(ZeroDivisionError, error, None)  # so it goes on
    assert training() == [False, False, False, False]
    third.__exit__(None, None, None)
    assert training() == [True, False, False, False]
    second.__exit__(None, None, None)
    assert training() == [True, True, True, False]


def test_no_module_is_kept() -> None:
    module = nn.Sequential(nn.Conv2d(2, 3, 1), nn.Flatten())
    gone = weakref.ref(module)
    net = ModuleNet(module, input_shape=SHAPE, device="cpu")
    net.forward(np.zeros((1, *SHAPE), np.float32), ["0", "prob"])
    del module, net
    gc.collect()
    assert gone() is None


class Meeting(nn.Module):
    """Two passes of it meet, before the first layer and again before the second; it reads a value."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.drop, self.second = nn.Conv2d(2, 3, 3), nn.Dropout(0.5), nn.Linear(36, 4)
        self.meet: Any = None

    def forward(self, x: Tensor) -> Tensor:
        if self.meet is not None:
            self.meet.wait(20)
        x = self.first(x)
        if bool(x.sum() < 1e9) and self.meet is not None:
            self.meet.wait(20)
        return self.second(self.drop(x.relu().flatten(1)))


@pytest.mark.parametrize("start", [None, "first"])
def test_two_threads_at_once(start: str | None) -> None:
    """Their hooks are on the same layers at the same time, and each hears its own pass."""
    torch.manual_seed(0)
    module = Meeting()
    net = ModuleNet(module, input_shape=SHAPE, output="activation", device="cpu")
    assert net.dense_because is not None
    images = np.random.default_rng(0).standard_normal((2, *SHAPE)).astype(np.float32)
    patches = images.reshape(2, 1, 1, *SHAPE)[..., :2, :2]
    patches = patches if start is None else np.concatenate([patches, patches[:, :, :, :1]], 3)
    ask: dict[str, Any] = {"blob": "output", "units": [(0,), (3,)], "batch_size": 2, "start": start}

    def one(i: int) -> list[np.ndarray]:
        hidden = net.forward(images[i : i + 1], ["first", "output"])
        values = net.evaluate(images[i], np.array([[1, 1]]), patches[i], **ask)
        return [hidden["first"], hidden["output"], values]

    wanted = [one(0), one(1)]
    module.meet = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(one, range(2)))
    assert all(child.training for child in module.modules())
    for alone, beside in zip(wanted, found):
        for value, other in zip(alone, beside):
            np.testing.assert_array_equal(value, other)
    assert not np.array_equal(found[0][0], found[1][0])


def test_threads_share_what_the_graph_computes_and_no_strangers_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predicdiff.nets.engine.torch_base.threads", lambda: 3)
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten())
    net = ModuleNet(module, input_shape=SHAPE, device="cpu")
    assert net.evaluating_threads() == 3
    hook = module[1].register_forward_hook(lambda *_: None)
    assert net.evaluating_threads() == 0
    assert ModuleNet(module, input_shape=SHAPE, device="cpu").evaluating_threads() == 0
    hook.remove()
    assert net.evaluating_threads() == 3
    assert net.one_by_one().evaluating_threads() == 0
    assert ModuleNet(Meeting(), input_shape=SHAPE, output="activation", device="cpu").evaluating_threads() == 0
