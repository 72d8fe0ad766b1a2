"""What forward hooks take from a module."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from predicdiff.nets.modules.hooks import Recorder, dry_run  # noqa: E402


def chain() -> nn.Sequential:
    tanh = nn.Tanh()
    return nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), tanh, nn.Flatten(), tanh)


class Unheard(nn.Tanh):
    """As TorchScript's modules."""

    def register_forward_hook(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("takes no hooks")


def test_shapes_and_calls_in_order_of_the_last_call() -> None:
    with torch.inference_mode():
        recorded, returned = dry_run(chain(), torch.zeros(2, 1, 4, 4))
    assert list(recorded.shapes.items()) == [("0", (2, 2, 2)), ("2", (8,)), ("1", (8,))]
    assert recorded.calls == {"0": 1, "1": 2, "2": 1}
    assert tuple(returned.shape) == (2, 8)


def test_most_elements_by_hand() -> None:
    """Twice the input (16), the convolution's output (8) and its columns (9 for each of 4 places)."""
    with torch.inference_mode():
        recorded, _ = dry_run(nn.Sequential(nn.Conv2d(1, 2, 3)), torch.zeros(2, 1, 4, 4))
    assert recorded.elements == 2 * 16 + 8 + 36


def test_hooks_are_gone_afterwards_even_after_an_error() -> None:
    module = chain()
    with pytest.raises(RuntimeError, match="channels"):
        dry_run(module, torch.zeros(2, 3, 4, 4))
    with pytest.raises(RuntimeError, match="channels"), Recorder(module, {"0": 1}, stop=True) as recorder:
        recorder.run(torch.zeros(2, 3, 4, 4))
    module.append(Unheard())
    with pytest.raises(RuntimeError, match="takes no hooks"):
        dry_run(module, torch.zeros(2, 1, 4, 4))
    assert not any(child._forward_hooks for child in module.modules())


def test_leaves_early_after_the_last_call_asked_for() -> None:
    module, x = chain(), torch.linspace(-1, 1, 16).view(1, 1, 4, 4)
    with Recorder(module, {"1": 2, "0": 1}, stop=True) as recorder:
        assert recorder.run(x) is None
    torch.testing.assert_close(recorder.values["1"], module(x))
    torch.testing.assert_close(recorder.values["0"], module[0](x))
    with Recorder(module, {"0": 1}, stop=False) as recorder:
        torch.testing.assert_close(recorder.run(x), module(x))
