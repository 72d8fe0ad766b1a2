"""What torch's modules and functions join: each kind of operation against what the call does to single places."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from helpers.random_modules import of_kind  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from predicdiff.nets.engine.graph import Local, Node, Pointwise, Whole  # noqa: E402
from predicdiff.nets.modules import operations  # noqa: E402
from predicdiff.nets.modules.axes import USUAL  # noqa: E402
from predicdiff.nets.modules.graph import module_graph  # noqa: E402
from predicdiff.nets.modules.net import ModuleNet  # noqa: E402
from predicdiff.nets.modules.operations import placewise  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")


def node_of(module: nn.Module, shape: tuple[int, ...]) -> Node:
    """The only node of a module of one call."""
    with torch.inference_mode():
        (node,) = module_graph(nn.Sequential(module).eval(), torch.zeros(2, *shape)).graph.nodes
    return node


@settings(max_examples=150)
@given(data=st.data(), kind=st.sampled_from(["conv", "same", "pool", "mean", "adaptive", "pad"]))
def test_a_piece_with_what_lies_around_it_gives_the_same(data: st.DataObject, kind: str) -> None:
    """All of the map, its border as ``fill``: the piece that all outputs see."""
    shape = (data.draw(st.integers(1, 3)), data.draw(st.integers(3, 9)), data.draw(st.integers(3, 9)))
    module = data.draw(of_kind(kind, shape)).eval()
    inputs = torch.randn(2, *shape)
    try:
        with torch.inference_mode():
            wanted = module(inputs.clone())
    except RuntimeError:
        assume(False)
    assume(min(wanted.shape) > 0)
    assume(wanted.isfinite().all())
    node = node_of(module, shape)
    if isinstance(node.kind, Whole):
        circular = isinstance(module, nn.Conv2d) and module.padding_mode != "zeros"
        cropping = isinstance(module, nn.ConstantPad2d) and min(module.padding) < 0
        uneven = kind == "adaptive" and (shape[1] % wanted.shape[2] or shape[2] % wanted.shape[3])
        assert circular or cropping or uneven
        return
    assert isinstance(node.kind, Local)
    rows, columns = node.kind.reach
    assert (rows.size, columns.size) == wanted.shape[2:]
    border = (*columns.border, *rows.border)
    piece = functional.pad(inputs, border, value=node.kind.fill)[
        :, :, : rows.needs(rows.size), : columns.needs(columns.size)
    ]
    values = node.kind.cut([piece])
    values = values if node.kind.scale is None else values / node.kind.scale
    torch.testing.assert_close(values, wanted)
    assert values.untyped_storage().data_ptr() != piece.untyped_storage().data_ptr()


def apart(function: Any, *inputs: Tensor) -> bool:
    """Whether a place of the inputs changes that place of the result alone."""
    with torch.inference_mode():
        before = function(*(x.clone() for x in inputs))
        for row, column in ((0, 0), (2, 3), (3, 4)):
            changed = [x.clone() for x in inputs]
            for x in changed:
                x[:, :, row, column] = x[:, :, row, column] * 1.5 + 0.1
            differs = (function(*changed) != before).any(1).any(0)
            differs[row, column] = False
            if differs.any():
                return False
    return True


INPUT = torch.rand(2, 3, 4, 5) * 0.8 + 0.1


PLACEWISE = [key for key, entry in operations.OPERATIONS.items() if isinstance(entry, operations.Placewise)]
MODULES = [nn.BatchNorm2d, *(key for key in PLACEWISE if isinstance(key, type))]
METHODS = sorted(key for key in PLACEWISE if isinstance(key, str))
FUNCTIONS = [key for key in PLACEWISE if not isinstance(key, (type, str))]


@pytest.mark.parametrize("kind", MODULES, ids=lambda kind: kind.__name__)
def test_modules_that_are_called_pointwise_are(kind: Any) -> None:
    arguments: dict[Any, tuple[Any, ...]] = {
        nn.BatchNorm2d: (3,), nn.PReLU: (3,), nn.LocalResponseNorm: (3,), nn.Threshold: (0.5, 0.0),
    }  # fmt: skip
    module = kind(*arguments.get(kind, ())).eval()
    assert apart(module, INPUT)
    assert node_of(module, (3, 4, 5)).kind == Pointwise()
    if "inplace" in inspect.signature(kind).parameters:
        over = node_of(kind(*arguments.get(kind, ()), inplace=True).eval(), (3, 4, 5))
        before = INPUT.clone()
        torch.testing.assert_close(over.run([INPUT]), module(INPUT))
        assert torch.equal(INPUT, before)
        assert over.over is not None


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_functions_that_are_called_pointwise_are(function: Any) -> None:
    two = {
        torch.add, torch.div, torch.maximum, torch.minimum, torch.mul, torch.pow, torch.sub,
    }  # fmt: skip
    rest = {torch.clamp: (0.3, 0.6), functional.local_response_norm: (3,)}.get(function, ())
    if function in two:
        assert apart(function, INPUT, INPUT.flip(0))
    else:
        assert apart(lambda x: function(x, *rest), INPUT)


@pytest.mark.parametrize("method", METHODS)
def test_methods_that_are_called_pointwise_are(method: str) -> None:
    rest = {"clamp": (0.3, 0.6)}.get(method, (2,) if method in ("add", "div", "mul", "pow", "sub") else ())
    if method in ("rdiv", "rsub"):
        method, rest = f"__{method}__", (2,)
    elif method == "type_as":
        rest = (INPUT,)
    elif method == "to":
        rest = (torch.float64,)
    assert apart(lambda x: getattr(x, method)(*rest), INPUT)
    if hasattr(Tensor, f"{method}_"):
        assert apart(lambda x: getattr(x, f"{method}_")(*rest), INPUT)


@pytest.mark.parametrize(
    "module",
    [nn.BatchNorm2d(3, track_running_stats=False), nn.InstanceNorm2d(3), nn.GroupNorm(1, 3), nn.Softmax(2),
     nn.Softmax2d(), nn.Upsample(scale_factor=2, mode="bilinear"), nn.ReflectionPad2d(1),
     nn.ZeroPad2d((-1, 0, 0, 0)), nn.LPPool2d(2, 2),
     nn.Flatten(), nn.Conv2d(3, 3, 3, padding=1, padding_mode="replicate"), nn.ConvTranspose2d(3, 3, 2)],
    ids=repr,
)  # fmt: skip
def test_the_rest_is_computed_as_a_whole(module: nn.Module) -> None:
    assert node_of(module, (3, 4, 5)).kind == Whole()


class Wider(nn.Conv2d):
    """What a class of someone's own does, nobody knows."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).flip(2)


def test_classes_that_come_of_torchs_own_are_what_they_call() -> None:
    with torch.inference_mode():
        graph = module_graph(nn.Sequential(Wider(3, 3, 1)), torch.zeros(2, 3, 4, 5)).graph
    assert [type(node.kind) for node in graph.nodes] == [Local, Whole]


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [((), True), ((1,), True), ((1, 3, 1, 1), True), ((3, 1, 1), True), ((3,), False), ((4, 1), False), ((4, 5), False),
     ((1, 3, 4, 5), False), (None, False)],
)  # fmt: skip
def test_which_constants_are_the_same_everywhere(shape: Any, wanted: bool) -> None:
    assert placewise.same_everywhere(shape, USUAL) is wanted


class Bent(nn.Module):
    """A curve of someone's own, which a trace would go into and not know."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.erfc(x)


def test_one_entry_makes_a_class_of_ones_own_known(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = nn.Sequential(nn.Conv2d(2, 3, 3), Bent(), nn.Conv2d(3, 2, 3))
    image, patches = np.zeros((2, 12, 12), np.float32), np.ones((1, 1, 2, 2, 2), np.float32)
    ask: dict[str, Any] = {"blob": "2", "units": [(0, 3, 3), (1, 7, 7)], "batch_size": 1}

    def evaluated() -> tuple[np.ndarray, float, str]:
        net = ModuleNet(layers, input_shape=(2, 12, 12), output="activation", device="cpu")
        return net.evaluate(image, np.array([[4, 5]]), patches, **ask), net.work.done, net.evaluation("2")

    values, work, how = evaluated()
    assert how == "incremental up to erfc (erfc)"
    monkeypatch.setitem(operations.OPERATIONS, Bent, operations.Placewise())
    again, less, how = evaluated()
    assert how == "incremental"
    np.testing.assert_allclose(again, values, rtol=1e-5)
    # the window has 2 x 2 places, which 4 x 4 outputs see; without the entry, all 8 x 8 of the second are computed
    assert (less, work) == (54 * 4 + 54 * 16, 54 * 4 + 54 * 64)
