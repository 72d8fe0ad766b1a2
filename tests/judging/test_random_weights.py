"""Copies with random layers: which weights change, from what they are drawn, and that the net itself does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.engines import needed, net_of, tiny_net
from helpers.oracle_nets import LinearNet
from helpers.records import layer, net
from helpers.small_net import images, make

from predicdiff.errors import SettingsError
from predicdiff.judging.random_weights import randomised, weighted_layers
from predicdiff.nets.preprocessing import Preprocessing

pytestmark = needed


def tiny() -> Any:
    return tiny_net(device="cpu")


def forked() -> Any:
    """Its submodules are called in another order than they are made, one of them never, one twice."""
    torch = pytest.importorskip("torch")
    from predicdiff.nets.modules.net import ModuleNet

    class Forked(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.last = torch.nn.Linear(20, 5)
            self.unused = torch.nn.Linear(3, 3)
            self.inner = torch.nn.Conv2d(4, 4, 3, padding=1)
            self.norm = torch.nn.BatchNorm2d(4)
            self.norm.weight.data, self.norm.bias.data = torch.rand(4), torch.rand(4)
            self.first = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
            self.gain = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))

        def forward(self, x: Any) -> Any:
            x = self.norm(self.inner(self.inner(self.first(x))))
            return self.last(x.mean(3).flatten(1)) * self.gain

    return ModuleNet(Forked(), input_shape=(3, 7, 6), device="cpu", labels=list("abcde"), training_instances=77)


def weights(net: Any) -> dict[str, list[np.ndarray]]:
    """Copies; of a module as the module itself has them."""
    if not hasattr(net, "module"):
        return {name: [blob.copy() for blob in blobs] for name, blobs in net.weights.items()}
    return {
        name: [weight.detach().numpy().copy() for weight in child.parameters(recurse=False)]
        for name, child in net.module.named_modules()
    }


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all((a == b).all() for a, b in zip(one, other))


KINDS = {"caffe": tiny, "module": forked}
each_kind = pytest.mark.parametrize("kind", KINDS)


def test_layers_in_the_order_in_which_they_are_computed() -> None:
    assert weighted_layers(tiny()) == ["conv1", "conv2a", "conv2b", "fc"]


def test_submodules_in_the_order_in_which_they_are_first_called() -> None:
    assert weighted_layers(forked()) == ["first.0", "inner", "norm", "last", ""]


def test_a_module_that_is_a_single_layer() -> None:
    torch = pytest.importorskip("torch")
    from predicdiff.nets.modules.net import ModuleNet

    module = torch.nn.Conv2d(1, 5, 3)
    single = ModuleNet(module, input_shape=(1, 3, 3), output="activation", device="cpu")
    assert weighted_layers(single) == [""]
    assert not same(weights(randomised(single, layers=1))[""], weights(single)[""])


def test_statistics_of_caffe_are_no_weights() -> None:
    spec = net(
        (2, 4, 4),
        layer("Convolution", "data", "conv", num_output=3, kernel_size=[1]),
        layer("BatchNorm", "conv", "norm"),
        layer("Scale", "norm", "scaled", bias_term=True),
    )
    blobs = {
        "conv": [np.ones((3, 2, 1, 1)), np.zeros(3)],
        "norm": [np.arange(3.0), np.arange(1.0, 4.0), np.ones(1)],
        "scaled": [np.arange(3.0), np.arange(3.0, 6.0)],
    }
    original = net_of(spec, blobs)
    assert weighted_layers(original) == ["conv", "scaled"]
    assert same(weights(randomised(original, layers=2))["norm"], weights(original)["norm"])


@each_kind
@pytest.mark.parametrize("how", ["permute", "normal"])
def test_as_many_layers_from_the_top_as_asked(kind: str, how: str) -> None:
    net = KINDS[kind]()
    names = weighted_layers(net)
    for count in range(len(names) + 1):
        after, before = weights(randomised(net, layers=count, seed=1, how=how)), weights(net)
        changed = {name for name in before if before[name] and not same(after[name], before[name])}
        assert changed == {*names[len(names) - count :]}


@each_kind
def test_shuffled_weights_are_the_same_numbers_elsewhere(kind: str) -> None:
    net = KINDS[kind]()
    after, before = weights(randomised(net, layers=len(weighted_layers(net)))), weights(net)
    for name in before:
        for one, other in zip(after[name], before[name]):
            assert one.shape == other.shape
            np.testing.assert_array_equal(np.sort(one, axis=None), np.sort(other, axis=None))


def test_drawn_weights_have_the_moments_of_those_they_replace() -> None:
    spec = net((3, 10, 10), layer("InnerProduct", "data", "fc", num_output=100))
    blobs = [np.random.default_rng(0).random((100, 300)) * 2 + 3, np.full(100, 7.0)]
    values, bias = weights(randomised(net_of(spec, {"fc": blobs}), layers=1, how="normal"))["fc"]
    assert values.mean() == pytest.approx(4, abs=0.02)
    assert values.std() == pytest.approx(2 / 12**0.5, abs=0.01)
    assert (np.abs(values - 4) > 1.2).any()  # none of a uniform distribution's
    np.testing.assert_array_equal(bias, 7.0)


@each_kind
@pytest.mark.parametrize("how", ["permute", "normal"])
def test_a_cascade_keeps_what_it_has_made_random(kind: str, how: str) -> None:
    net = KINDS[kind]()
    names = weighted_layers(net)
    steps = [weights(randomised(net, layers=n, seed=5, how=how)) for n in range(len(names) + 1)]
    for count in range(1, len(names)):
        for name in names[len(names) - count :]:
            assert same(steps[count][name], steps[count + 1][name])


@each_kind
def test_the_seed_decides(kind: str) -> None:
    net = KINDS[kind]()
    one, again, other = (weights(randomised(net, layers=2, seed=seed)) for seed in (1, 1, 2))
    name = weighted_layers(net)[-2]
    assert same(one[name], again[name])
    assert not same(one[name], other[name])


@each_kind
def test_the_net_itself_stays_as_it_is(kind: str) -> None:
    net = KINDS[kind]()
    before, identity = weights(net), net.provenance
    x = images(2, *net.input_shape)
    scores = net.forward(x, [net.scores])[net.scores]
    random = randomised(net, layers=len(weighted_layers(net)))
    np.testing.assert_array_equal(net.forward(x, [net.scores])[net.scores], scores)
    assert all(same(before[name], weights(net)[name]) for name in before)
    assert net.provenance == identity
    assert random.provenance["weights"] != identity["weights"]
    assert np.abs(random.forward(x, [net.scores])[net.scores] - scores).max() > 1e-3


@each_kind
def test_a_copy_with_no_random_layer_is_the_same_net(kind: str) -> None:
    net = KINDS[kind]()
    twin = randomised(net, layers=0)
    x = images(2, *net.input_shape)
    np.testing.assert_array_equal(twin.forward(x, ["prob"])["prob"], net.forward(x, ["prob"])["prob"])
    assert twin.provenance == net.provenance
    assert dict(twin.blobs) == dict(net.blobs)
    for name in ("name", "labels", "training_instances", "scores", "output", "input_shape"):
        assert getattr(twin, name) == getattr(net, name)


def test_preprocessing_and_kind_of_output_go_with_the_copy() -> None:
    preprocessing = Preprocessing(channels="bgr", mean=(1.0, 2.0, 3.0))
    assert randomised(make(preprocessing=preprocessing), layers=1).preprocessing is preprocessing
    torch = pytest.importorskip("torch")
    from predicdiff.nets.modules.net import ModuleNet

    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3))
    twin: Any = randomised(ModuleNet(module, input_shape=(3, 2, 2), output="sigmoid", device="cpu"), layers=1)
    assert twin.outcomes == 2
    assert twin.forward(images(1, 3, 2, 2), ["prob"])["prob"].sum() != pytest.approx(1)


@each_kind
def test_the_copy_computes_as_the_net_does(kind: str) -> None:
    """So that its maps differ by their weights alone."""
    net: Any = KINDS[kind]()
    if not hasattr(net, "incremental"):
        pytest.skip("Caffe knows one way")
    net.precision, net.incremental = "bfloat16", False
    twin: Any = randomised(net, layers=1)
    assert (twin.precision, twin.incremental) == ("bfloat16", False)


def test_layers_below_the_random_ones_compute_what_they_did() -> None:
    net = tiny()
    x = images(2, *net.input_shape)
    random = randomised(net, layers=1)
    np.testing.assert_array_equal(random.forward(x, ["pool2"])["pool2"], net.forward(x, ["pool2"])["pool2"])
    assert (random.forward(x, ["fc"])["fc"] != net.forward(x, ["fc"])["fc"]).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": 3}, "layers = 3: want 0 to 2, the number of layers with weights"),
        ({"layers": -1}, "layers = -1: want 0 to 2"),
        ({"layers": 1.5}, "layers = 1.5: want a whole number"),
        ({"layers": 1, "seed": -1}, "seed -1 is out of range"),
        ({"layers": 1, "seed": "x"}, "seed = 'x': want a whole number"),
        ({"layers": 1, "how": "zero"}, "how = 'zero' is unknown: want permute or normal"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        randomised(make(), **settings)


def test_nets_that_cannot_be_randomised_are_refused() -> None:
    with pytest.raises(SettingsError, match="LinearNet cannot be randomised: want a net that load_net gives"):
        randomised(LinearNet(np.ones((2, 1, 2, 2))), layers=1)
    plain = net_of(net((1, 4, 4), layer("ReLU", "data", "out")), {})
    with pytest.raises(SettingsError, match="has no layer with weights"):
        weighted_layers(plain)


def test_a_net_of_ones_own_may_have_weights_too() -> None:
    class Learnt(LinearNet):
        learnt = ("scores",)

        def with_weights(self, weights: Any) -> Any:
            return Learnt(np.asarray(weights["scores"]))

    own: Any = Learnt(np.arange(8.0).reshape(2, 1, 2, 2))
    own.weights = {"scores": own.weights}
    shuffled = np.stack(randomised(own, layers=1).weights).ravel()  # type: ignore[attr-defined]
    assert sorted(shuffled) == list(range(8))


def test_a_module_of_less_than_float32_is_randomised_too() -> None:
    torch = pytest.importorskip("torch")
    from predicdiff.nets.modules.net import ModuleNet

    class Rounded(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.last = torch.nn.Linear(12, 3, dtype=torch.bfloat16)

        def forward(self, x: Any) -> Any:
            return self.last(x.flatten(1).bfloat16()).float()

    net = ModuleNet(Rounded(), input_shape=(3, 2, 2), device="cpu")
    twin: Any = randomised(net, layers=1)
    before, after = net.module.last.weight.detach(), twin.module.last.weight.detach()
    assert after.dtype == torch.bfloat16
    assert torch.equal(before.float().flatten().sort()[0], after.float().flatten().sort()[0])
    assert not torch.equal(before, after)
