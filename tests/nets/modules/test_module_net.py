"""Torch modules as nets, against calls of the modules themselves."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from helpers.rounding import float32_atol  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from predicdiff.errors import BlobError, ImageError, InputWarning, SettingsError  # noqa: E402
from predicdiff.nets.modules.net import ModuleNet  # noqa: E402

SHAPE = (3, 8, 7)
#: Of values around 1, whose longest sum is over 168 products.
ROUNDING = float32_atol(1.0, 168)


def convnet(classes: int = 5) -> nn.Sequential:
    """Convolution, batch norm that has seen something, rectifier in place, dropout."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Dropout(0.5), nn.Linear(16, classes),
    )  # fmt: skip
    module(torch.randn(32, *SHAPE))
    return module


def images(count: int = 2, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, *SHAPE)).astype(np.float32)


def reference(module: nn.Module, inputs: np.ndarray) -> np.ndarray:
    """What a copy of the module gives in evaluation mode."""
    with torch.no_grad():
        return copy.deepcopy(module).eval()(torch.tensor(inputs)).numpy()


def make(module: nn.Module, **settings: Any) -> ModuleNet:
    return ModuleNet(module, input_shape=SHAPE, device="cpu", **settings)


def test_blobs_in_order_and_by_name() -> None:
    net = make(convnet())
    assert list(net.blobs.items()) == [
        ("0", (4, 8, 7)), ("1", (4, 8, 7)), ("2", (4, 8, 7)), ("3", (4, 2, 2)), ("4", (16,)), ("5", (16,)), ("6", (5,)),
        ("logits", (5,)), ("prob", (5,)),
    ]  # fmt: skip
    assert (net.name, net.scores, net.output, net.outcomes) == ("Sequential", "logits", "prob", None)
    assert (net.input_shape, net.training_instances, net.labels) == (SHAPE, 1_281_167, None)


def test_logits_and_their_softmax() -> None:
    module, inputs = convnet(), images()
    values = make(module).forward(inputs, ["logits", "prob", "6"])
    logits = reference(module, inputs).astype(np.float64)
    np.testing.assert_allclose(values["logits"], logits, atol=ROUNDING)
    np.testing.assert_allclose(values["6"], logits, atol=ROUNDING)
    np.testing.assert_allclose(values["prob"], np.exp(logits) / np.exp(logits).sum(1, keepdims=True), atol=ROUNDING)


def test_sigmoid() -> None:
    module, inputs = convnet(1), images()
    net = make(module, output="sigmoid")
    logits = reference(module, inputs).astype(np.float64)
    np.testing.assert_allclose(net.forward(inputs, ["prob"])["prob"], 1 / (1 + np.exp(-logits)), atol=ROUNDING)
    assert (net.scores, net.output, net.outcomes) == ("logits", "prob", 2)


def test_one_number_for_each_input() -> None:
    module = nn.Sequential(convnet(1), nn.Flatten(0))
    net = make(module, output="sigmoid")
    assert net.blobs["prob"] == (1,)
    assert net.forward(images(3), ["logits"])["logits"].shape == (3, 1)


def test_probabilities_are_left_as_they_are() -> None:
    module, inputs = nn.Sequential(convnet(), nn.Softmax(1)), images()
    net = make(module, output="probabilities")
    np.testing.assert_allclose(net.forward(inputs, ["prob"])["prob"], reference(module, inputs), atol=ROUNDING)
    assert (net.scores, net.output, "logits" in net.blobs) == (None, "prob", False)


def test_activation_is_no_probability() -> None:
    module, inputs = convnet(), images()
    net = make(module, output="activation")
    np.testing.assert_allclose(net.forward(inputs, ["output"])["output"], reference(module, inputs), atol=ROUNDING)
    assert (net.scores, net.output, "prob" in net.blobs) == (None, None, False)


def test_a_blob_is_what_its_module_returned_before_a_rectifier_in_place() -> None:
    module, inputs = convnet(), images()
    values = make(module).forward(inputs, ["1", "2"])
    before = reference(module[:2], inputs)
    assert before.min() < 0
    np.testing.assert_allclose(values["1"], before, atol=ROUNDING)
    np.testing.assert_allclose(values["2"], np.maximum(before, 0), atol=ROUNDING)


def test_gradient_through_modules_in_place() -> None:
    module = nn.Sequential(nn.ReLU(inplace=True), convnet())
    net, x = make(module), images(1)[0]
    for blob, part, unit in (("1.2", module[1][:3], (2,)), ("logits", module[1], (3,))):
        leaf = torch.tensor(x[None], requires_grad=True)
        copy.deepcopy(part).eval()(leaf.relu())[(0, *unit)].mean().backward()
        gradient = net.gradient(x, blob=blob, unit=unit)
        np.testing.assert_allclose(gradient, leaf.grad[0].numpy(), rtol=1e-5, atol=1e-7)
        assert np.abs(gradient).max() > 0
    assert all(parameter.grad is None for parameter in module.parameters())


def test_no_gradient_where_the_module_keeps_none() -> None:
    class Detached(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.detach().flatten(1)

    class Constant(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.bias.expand(len(x), -1)

    with pytest.raises(BlobError, match="blob 'logits' of net 'Detached' has no gradient"):
        make(Detached()).gradient(images()[0], blob="logits", unit=0)
    assert (make(Constant(3, 3)).gradient(images()[0], blob="logits", unit=0) == 0).all()


def test_the_module_is_kept_and_not_copied() -> None:
    module = convnet()
    assert make(module).module is module


def test_the_mode_comes_back_after_an_error() -> None:
    class Picky(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if x.max() > 1:
                raise RuntimeError("too bright")
            return x.flatten(1)

    net = make(Picky())
    with pytest.raises(RuntimeError, match="too bright"):
        net.forward(images() + 9, ["logits"])
    assert net.module.training


class Reused(nn.Module):
    """One submodule called twice, one that gives a tuple, one that gives indices, one never called."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Conv2d(3, 3, 1)
        self.pair = Pair()
        self.which = Argmax()
        self.unused = nn.Linear(2, 2)
        self.logits = nn.Linear(168, 5)
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        x = self.twice(self.twice(x).tanh())
        self.which(x)
        return -self.logits(self.pair(x)[0].flatten(1))


class Pair(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x + 1


class Argmax(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.argmax(1)


def test_of_several_calls_the_last_and_only_tensors_of_floats() -> None:
    module, inputs = Reused(), images()
    net = make(module)
    assert list(net.blobs) == ["twice", "logits", "prob"]
    with torch.no_grad():
        wanted = module.twice(module.twice(torch.tensor(inputs)).tanh()).numpy()
    np.testing.assert_allclose(net.forward(inputs, ["twice"])["twice"], wanted, atol=ROUNDING)
    # the net's own blob, not the submodule of that name
    np.testing.assert_allclose(net.forward(inputs, ["logits"])["logits"], reference(module, inputs), atol=ROUNDING)


def test_layers_after_the_last_asked_blob_are_not_run() -> None:
    class Trap(nn.Module):
        armed = False

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert not self.armed, "this layer was not asked for"
            return x

    module = nn.Sequential(convnet(), Trap())
    net = make(module)
    module[1].armed = True
    assert net.forward(images(), ["0.1", "0.2"])["0.2"].shape == (2, 4, 8, 7)
    with pytest.raises(AssertionError, match="not asked for"):
        net.forward(images(), ["prob"])


def test_a_module_that_views_its_maps() -> None:
    """`view` fails on maps with their channels last in memory."""

    class Views(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x).view(len(x), -1)

    module, inputs = Views(), images()
    np.testing.assert_allclose(
        make(module).forward(inputs, ["logits"])["logits"], reference(module, inputs), atol=ROUNDING
    )


def test_a_submodule_that_is_skipped_for_some_inputs() -> None:
    class Early(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.late = nn.Flatten()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(len(x), -1) if x.max() > 1 else self.late(x)

    net = make(Early())
    with pytest.raises(BlobError, match="blob 'late' of net 'Early' was not computed for this input"):
        net.forward(images() + 9, ["late", "logits"])


@pytest.mark.parametrize(
    ("module", "settings", "words"),
    [
        (
            convnet(),
            {"output": "scores"},
            "output 'scores' is unknown: want one of logits, sigmoid, probabilities, act",
        ),
        (convnet(), {"input_shape": (3, 8)}, r"input_shape is \(3, 8\): want \(channels, height, width\)"),
        (convnet(), {"input_shape": (3, 8, 0)}, r"input_shape is \(3, 8, 0\): want .* at least 1"),
        (convnet(), {"input_shape": 224}, "input_shape is 224: want"),
        (
            convnet(),
            {"input_shape": (1, 8, 7)},
            r"Sequential does not take 2 inputs of shape \(1, 8, 7\) at once: .*channels",
        ),
        (Pair(), {}, r"Pair returns several outputs for 2 images, 0 \(2, 3, 8, 7\), 1 \(2, 3, 8, 7\): say which"),
        (Argmax(), {}, r"Argmax returns a tensor \(2, 8, 7\) of torch.int64 for 2 inputs"),
        (nn.Flatten(0), {}, r"Flatten returns a tensor \(336,\) of torch.float32 for 2 inputs"),
        (convnet(1), {}, "Sequential returns one logit, whose softmax is always 1"),
        (convnet(), {"output": "probabilities"}, r"returns values from -?[\d.]+ to [\d.]+, which are no probabilities"),
        (convnet(), {"labels": ["a"]}, "has 5 classes, but 1 labels came"),
    ],
)
def test_modules_that_do_not_fit(module: nn.Module, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        ModuleNet(module, **{"input_shape": SHAPE, "device": "cpu", **settings})


def test_a_softmax_before_the_softmax() -> None:
    with pytest.warns(InputWarning, match="add up to 1, as if a softmax had been applied already"):
        make(nn.Sequential(convnet(), nn.Softmax(1)))


def test_unknown_blobs_units_and_inputs() -> None:
    net = make(convnet())
    with pytest.raises(BlobError, match=r"no blob 'probs'. Near names: prob"):
        net.forward(images(), ["probs"])
    with pytest.raises(BlobError, match="no blob 'probs'"):
        net.bytes_per_input("probs")
    with pytest.raises(BlobError, match="out of range: blob 'prob'"):
        net.gradient(images()[0], blob="prob", unit=5)
    with pytest.raises(ImageError, match=r"wants an array \(b, 3, 8, 7\)"):
        net.forward(images()[:, :, :4], ["prob"])


def test_bytes_per_input_covers_the_largest_layer() -> None:
    # input, output and columns of the convolution
    assert make(convnet()).bytes_per_input("prob") >= 4 * (168 + 224 + 27 * 56)


def test_maps_of_logits() -> None:
    module = nn.Conv2d(3, 4, 1)
    net, inputs = make(module), images()
    prob = net.forward(inputs, ["prob"])["prob"]
    assert net.blobs["prob"] == (4, 8, 7)
    np.testing.assert_allclose(
        prob, functional.softmax(torch.tensor(reference(module, inputs)), 1).numpy(), atol=ROUNDING
    )


def test_provenance_tells_nets_apart() -> None:
    module = convnet()
    net = make(module)
    usual = net.provenance
    assert json.loads(json.dumps(usual)) == usual == make(module).provenance
    assert (usual["engine"], usual["engine_version"]) == ("torch", torch.__version__)
    with torch.no_grad():
        module[6].bias += 1
    assert {key for key in usual if usual[key] != net.provenance[key]} == {"weights"}
    other = convnet()
    other[2] = nn.Tanh()
    assert {key for key in usual if usual[key] != make(other).provenance[key]} == {"definition"}
