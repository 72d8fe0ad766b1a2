"""EfficientNet-Lite0: the package's own module is the oracle, where it is installed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import data

from predicdiff.errors import WeightsError

torch = pytest.importorskip("torch")

from predicdiff.nets.fetching.door import known_preprocessing  # noqa: E402
from predicdiff.nets.fetching.manifest import entry  # noqa: E402
from predicdiff.nets.fetching.weights import weights_path  # noqa: E402
from predicdiff.nets.modules import efficientnet_lite  # noqa: E402

SHAPE = (3, 224, 224)


@pytest.fixture(scope="module")
def weights() -> Path:
    try:
        return weights_path("efficientnet_lite0")
    except WeightsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def net(weights: Path) -> Any:
    return efficientnet_lite.load(weights)


@pytest.fixture(scope="module")
def original(weights: Path) -> Any:
    """The architecture package's module with the same weights, in float64."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is of 2020 and uses what has been deprecated since
        package = pytest.importorskip("efficientnet_lite_pytorch")
        module = package.EfficientNet.from_name("efficientnet-lite0").eval()
    module.load_state_dict(torch.load(weights, weights_only=True))
    return module.double()


@pytest.fixture(scope="module")
def inputs() -> Any:
    preprocessing = known_preprocessing(entry("efficientnet_lite0"))
    images = [preprocessing.pixels(image, SHAPE) for image in (data.chelsea(), data.coffee())]
    return torch.from_numpy(preprocessing.encode(np.stack(images), SHAPE))


def test_logits_are_those_of_the_original(net: Any, original: Any, inputs: Any) -> None:
    with torch.inference_mode():
        np.testing.assert_allclose(net(inputs).numpy(), original(inputs.double()).numpy(), atol=2e-5)


def test_every_block_is_that_of_the_original(net: Any, original: Any, inputs: Any) -> None:
    with torch.inference_mode():
        ours, theirs = net.stem(inputs), original._swish(original._bn0(original._conv_stem(inputs.double())))
        for our_block, their_block in zip(net.blocks, original._blocks):
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-5 * float(theirs.abs().max()))
            ours, theirs = our_block(ours), their_block(theirs)


def test_gradients_are_those_of_the_original(net: Any, original: Any, inputs: Any) -> None:
    gradients = []
    for module, x in ((net, inputs), (original, inputs.double())):
        x = x[:1].clone().requires_grad_()
        (gradient,) = torch.autograd.grad(module(x)[0, 282], x)
        gradients.append(gradient.double().numpy())
    ours, theirs = gradients
    assert np.linalg.norm(ours - theirs) <= 1e-3 * np.linalg.norm(theirs)


def test_it_sees_a_cat_and_an_espresso(net: Any, inputs: Any) -> None:
    with torch.inference_mode():
        prob = torch.softmax(net(inputs), 1)
    assert int(prob[0].argmax()) in (281, 282, 285)
    assert float(prob[0, [281, 282, 285]].sum()) > 0.8
    assert int(prob[1].argmax()) == 967
    assert float(prob[1, 967]) > 0.9


def test_a_trace_gives_the_same(net: Any, inputs: Any) -> None:
    traced = torch.fx.symbolic_trace(net)
    with torch.inference_mode():
        assert torch.equal(traced(inputs), net(inputs))


def test_weights_need_no_gradient_and_loading_draws_no_random_numbers(weights: Path) -> None:
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    net = efficientnet_lite.load(weights)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert not net.training


def test_inputs_are_not_changed(net: Any, inputs: Any) -> None:
    before = inputs.clone()
    with torch.inference_mode():
        net(inputs)
    assert torch.equal(inputs, before)


def test_stride_two_pads_as_tensorflow_does() -> None:
    """Loops over "SAME" windows: of an even size, the bottom and right are padded more."""
    rng = np.random.default_rng(0)
    for kernel in (3, 5):
        weight, image = rng.normal(size=(kernel, kernel)), rng.normal(size=(12, 12))
        convolution = efficientnet_lite._convolution(1, 1, kernel, 2).double()
        with torch.no_grad():
            convolution.bias.zero_()
            convolution.weight.zero_()[..., 1:, 1:] = torch.from_numpy(weight)
            output = convolution(torch.from_numpy(image)[None, None])[0, 0].numpy()
        padded = np.zeros((20, 20))
        padded[4:16, 4:16] = image
        top = 4 - (kernel - 2) // 2
        wanted = [
            [np.sum(weight * padded[top + r : top + r + kernel, top + c : top + c + kernel]) for c in range(0, 12, 2)]
            for r in range(0, 12, 2)
        ]
        np.testing.assert_allclose(output, wanted, atol=1e-12)


def damaged(weights: Path, folder: Path, **changes: Any) -> Path:
    """A copy of the weights with tensors replaced, or taken out where None is given."""
    state = torch.load(weights, weights_only=True)
    for name, value in changes.items():
        state[name.replace("__", ".")] = value
    path = folder / "other.pth"
    torch.save({name: value for name, value in state.items() if value is not None}, path)
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"_fc__bias": None}, r"has no _fc\.bias"),
        ({"_conv_head__weight": None}, r"has no _conv_head\.weight"),
        ({"_bn0__running_var": torch.ones(31)}, r"_bn0\.running_var has the shape \(31,\), want \(32,\)"),
        ({"_conv_stem__weight": torch.ones(32, 3, 5, 5)}, r"_conv_stem.weight has the shape .*, want \(32, 3, 3, 3\)"),
        ({"_fc__weight": torch.ones(10, 1280)}, r"_fc\.weight has the shape \(10, 1280\), want \(1000, 1280\)"),
        ({"_fc__bias": torch.ones(1000, dtype=torch.int64)}, "is not a tensor of real numbers"),
        ({"_fc__bias": "no tensor"}, "is not a tensor of real numbers"),
        ({"_blocks__16__weight": torch.ones(1)}, r"holds 1 tensors too many, _blocks\.16\.weight the first"),
    ],
)
def test_weights_of_another_net_are_refused(
    weights: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(WeightsError, match=message):
        efficientnet_lite.load(damaged(weights, tmp_path, **changes))


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        efficientnet_lite.load(tmp_path / "absent.pth")


def test_files_that_are_no_weights_are_said(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    for content in (b"", b"no weights", b"PK\x03\x04" + bytes(100), b"\x80\x02c__builtin__\neval\n."):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=r"other\.pth: cannot be read as torch weights") as error:
            efficientnet_lite.load(path)
        assert "weights_only" not in str(error.value)  # torch's advice to read files that may run code
    torch.save([1, 2], path)
    with pytest.raises(WeightsError, match="holds a list"):
        efficientnet_lite.load(path)


def test_a_truncated_file_is_said(weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.pth"
    path.write_bytes(weights.read_bytes()[:-100_000])
    with pytest.raises(WeightsError, match="cannot be read as torch weights"):
        efficientnet_lite.load(path)
