"""Nets on a GPU, a logical one at least: nothing is mixed with the CPU's, little waits, all comes out as on the CPU."""

from __future__ import annotations

import copy
import functools
from contextlib import nullcontext
from itertools import product
from typing import Any, Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from helpers.logical_gpu import GPU, KINDS, OnGpu, gpu  # noqa: E402
from helpers.oracle_nets import analysis  # noqa: E402
from helpers.patched import origins, some_units  # noqa: E402
from helpers.random_caffe import specs, weights  # noqa: E402
from helpers.random_modules import modules  # noqa: E402
from helpers.records import layer, net  # noqa: E402
from torch import nn  # noqa: E402

from predicdiff.algorithm import explain  # noqa: E402
from predicdiff.effort import precision_gap  # noqa: E402
from predicdiff.errors import InputWarning  # noqa: E402
from predicdiff.images import View  # noqa: E402
from predicdiff.judging.random_weights import randomised  # noqa: E402
from predicdiff.nets.caffe.torch_net import CaffeTorchNet  # noqa: E402
from predicdiff.nets.engine import incremental as engine  # noqa: E402
from predicdiff.nets.engine.changes import Changes  # noqa: E402
from predicdiff.nets.engine.device import computing  # noqa: E402
from predicdiff.nets.modules.net import ModuleNet  # noqa: E402
from predicdiff.nets.preprocessing import Preprocessing  # noqa: E402
from predicdiff.nets.zoo import load_net  # noqa: E402
from predicdiff.samplers import GaussianSampler, MarginalSampler  # noqa: E402

SHAPE = (3, 16, 18)
SPEC = net(
    SHAPE,
    layer("Convolution", "data", "conv", num_output=4, kernel_size=[3], stride=[2], pad=[1]),
    layer("ReLU", "conv", "conv", name="relu"),
    layer("LRN", "conv", "norm", local_size=3),
    layer("Pooling", "norm", "pool", kernel_size=3, stride=2, pool="MAX"),
    layer("Convolution", "pool", "one", num_output=3, kernel_size=[1]),
    layer("Pooling", "pool", "mean", kernel_size=3, stride=1, pad=1, pool="AVE"),
    layer("Concat", "one mean", "both"),
    layer("InnerProduct", "both", "fc", num_output=5),
    layer("Softmax", "fc", "prob"),
)  # fmt: skip
MEAN = np.random.default_rng(3).normal(110, 30, SHAPE).astype(np.float32)
HOW: dict[str, Any] = {"preprocessing": Preprocessing(View("crop"), channels="bgr", mean=MEAN, scale=0.02)}


def caffe(device: str, **settings: Any) -> CaffeTorchNet:
    return CaffeTorchNet(SPEC, weights(SPEC, np.random.default_rng(0)), device=device, **{**HOW, **settings})


def module(device: str) -> ModuleNet:
    """Batch norm to be folded, a depthwise convolution, a mean with clipped windows, a sum of two branches."""
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU6(inplace=True),
        nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.AvgPool2d(3, 2, 1, count_include_pad=False), nn.PReLU(4),
        nn.Flatten(), nn.Linear(80, 5),
    )  # fmt: skip
    return ModuleNet(layers, input_shape=SHAPE, device=device, **HOW)


NETS = {"caffe": (caffe, "conv", "both"), "module": (module, "0", "4")}
#: Each net, precision and way of evaluation at least once; all that they can be together is the whole.
FEW = {("caffe", "float32", True), ("module", "bfloat16", True), ("module", "tf32", False)}
SETTINGS = [
    each if each in FEW else pytest.param(*each, marks=pytest.mark.whole)
    for each in product(NETS, ("float32", "tf32", "bfloat16"), (True, False))
]


def images(count: int = 30) -> np.ndarray:
    steps = np.random.default_rng(0).normal(0, 12, (count, *SHAPE))
    return np.clip(steps.cumsum(2).cumsum(3) + 128, 0, 255).astype(np.float32)


@functools.lru_cache(maxsize=None)
def gaussian() -> GaussianSampler:
    return GaussianSampler.fit(images(), 7, patches=4000)


def agree(values: np.ndarray, wanted: np.ndarray, share: float = 1e-4) -> None:
    np.testing.assert_allclose(values, wanted, rtol=share, atol=share * max(1.0, float(np.nanmax(np.abs(wanted)))))


# the rules themselves


def test_a_logical_gpu_refuses_what_a_real_one_does() -> None:
    with gpu() as traffic:
        there, here = torch.ones(2, 3, device="cuda"), torch.ones(2, 3)
        assert (there.device, here.device.type, (there + 1).device) == (GPU, "cpu", GPU)
        for mix in (lambda: there + here, lambda: there[torch.tensor([1])], lambda: torch.cat([there, here])):
            with pytest.raises(RuntimeError, match="on the same device"):
                mix()
        for take in (there.numpy, lambda: np.asarray(there)):
            with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
                take()
        with pytest.raises(RuntimeError, match="that is not pinned"):
            here.to(GPU, non_blocking=True)
        assert not traffic["waited"]
        for count, wait in enumerate(
            (lambda: here.to(GPU), lambda: torch.tensor([1.0], device=GPU), lambda: there[[1]])
        ):
            assert wait().device == GPU
            assert traffic["waited"] == count + 1
        assert here.pin_memory().to(GPU, non_blocking=True).device == GPU
        assert not traffic["read"]
        assert float(there.sum()) == there.cpu().numpy().sum() == 6
        assert (traffic["read"], traffic["sent"], traffic["waited"]) == (2, 1, 3)
        assert type(there.cpu()) is torch.Tensor


def test_modules_and_gradients_stay_there() -> None:
    with gpu():
        linear = copy.deepcopy(nn.Linear(3, 2).to("cuda"))
        assert {type(weight) for weight in linear.parameters()} == {OnGpu}
        leaf = torch.ones(1, 3, device="cuda").requires_grad_()
        (gradient,) = torch.autograd.grad(linear(leaf).sum(), leaf)
        assert gradient.device == GPU
        np.testing.assert_allclose(gradient.cpu().numpy()[0], linear.weight.detach().sum(0).cpu().numpy())


# nets


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Any:
    """While a test runs there is a GPU, of the kind that this says."""
    with gpu() if request.param == "logical" else nullcontext():
        yield request.param


@pytest.mark.parametrize("name", NETS)
def test_blobs_gradients_and_what_they_are_told_from(kind: str, name: str) -> None:
    make, hidden, _ = NETS[name]
    here, there, inputs = make("cpu"), make("cuda"), images(2)
    assert there.takes_noise
    assert (there.device.type, there.provenance) == ("cuda", here.provenance)
    for blob, values in there.forward(inputs, list(here.blobs)).items():
        agree(values, here.forward(inputs, [blob])[blob])
    for blob in (here.scores, hidden):
        ask: dict[str, Any] = {"blob": blob, "unit": 1}
        agree(there.gradient(inputs[0], **ask), here.gradient(inputs[0], **ask))
    changed = [randomised(each, layers=2).forward(inputs, ["prob"])["prob"] for each in (there, here)]
    agree(*changed)


def test_a_module_stays_where_it_is_unless_a_place_is_named(kind: str) -> None:
    layers = nn.Sequential(nn.Flatten(), nn.Linear(864, 5))
    assert load_net(layers, input_shape=SHAPE).device.type == "cpu"
    assert load_net(copy.deepcopy(layers).to("cuda"), input_shape=SHAPE).device.type == "cuda"
    assert load_net(nn.Flatten(), input_shape=SHAPE).device.type == "cpu"  # without weights


def pass_on(module: nn.Sequential) -> None:
    module[1].register_forward_hook(lambda _, __, output: 2 * output)


def learn(module: nn.Sequential) -> None:
    with torch.no_grad():
        module[1].weight.mul_(2)


def load_weights(module: nn.Sequential) -> None:
    module[1].weight.data = 2 * module[1].weight.data


@pytest.mark.parametrize("change", [pass_on, learn, load_weights])
def test_a_copy_of_a_module_is_made_anew_when_the_module_has_changed(change: Callable[[Any], None], kind: str) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(864, 5))
    net = load_net(module, input_shape=SHAPE, device="cuda")
    ask: dict[str, Any] = {"blob": "logits", "units": [1], "window": 8, "stride": 5, "samples": 2}
    before = explain(net, images(1)[0], MarginalSampler(images()), **ask)
    change(module)
    with pytest.warns(InputWarning, match="has changed since it was loaded, and was read anew"):
        after = explain(net, images(1)[0], MarginalSampler(images()), **ask)
    agree(after.relevance, 2 * before.relevance)


@pytest.mark.parametrize(("name", "precision", "incremental"), SETTINGS)
def test_relevance(kind: str, name: str, precision: str, incremental: bool) -> None:
    make, hidden, late = NETS[name]
    corpus, here, there = images(), make("cpu"), make("cuda")
    sampler = gaussian()
    ground = here.forward(here.encode(corpus), [hidden])[hidden]
    asked: list[tuple[Any, dict[str, Any]]] = [
        (sampler, {"stride": 3, "top": 2}),
        (MarginalSampler(corpus), {"stride": 2, "blob": here.scores, "units": [4, 1], "against": 0, "batch_size": 5}),
        (sampler, {"stride": 5, "blob": late, "units": [(2, 1, 1), (0, 2, 3)]}),
        (sampler, {"stride": 5, "blob": late, "channels": [1, 2]}),
        (sampler, {"stride": 5, "channels_apart": True, "units": [0]}),
        (MarginalSampler(ground), {"stride": 2, "window": 2, "start": hidden, "units": [0]}),
    ]
    here.incremental = there.incremental = incremental
    here.precision, there.precision = "bfloat16" if precision == "bfloat16" else "float32", precision
    # of bfloat16 eight bits are left, of values far above their changes; a logical GPU knows no TF32
    exact = precision == "float32" or (precision == "tf32" and kind == "logical")
    for drawn_from, how in asked:
        how = {"window": 5, "samples": 2, "batch_size": 64, **how}
        one, other = (explain(each, corpus[0], drawn_from, **how) for each in (here, there))
        largest = float(np.abs(one.relevance).max())
        assert largest > 1e-5
        np.testing.assert_allclose(other.relevance, one.relevance, rtol=0, atol=(1e-3 if exact else 0.3) * largest)
    gap, most = precision_gap(analysis(there, corpus[0], sampler, window=5, samples=2, stride=5), 8)
    assert gap <= 1e-4 * most if exact else 0 < gap < most


@pytest.mark.parametrize("name", NETS)
def test_nothing_is_waited_for_from_batch_to_batch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, _, late = NETS[name]
    corpus, sampler = images(), gaussian()
    places = np.stack(np.meshgrid(range(4, 10), range(4, 10)), -1).reshape(-1, 2)
    run, before = Changes.follow, []
    with gpu() as traffic:
        monkeypatch.setattr(Changes, "follow", lambda *arguments: (before.append(traffic["read"]), run(*arguments)))
        there = make("cuda")
        before.clear()  # a module is tried out when it is loaded
        for blob, units in (("prob", [(1,), (3,)]), (late, [(1, 1, 1)]), (late, [(1,), (2, 0)])):
            seen = []
            for count in (12, 12, 36):
                noise = sampler.noise(corpus[0], places[:count], window=3, samples=4, seed=0)
                traffic.clear()
                there.evaluate(corpus[0], places[:count], noise, blob=blob, units=units, batch_size=16)
                seen.append(dict(traffic))
            _, few, many = seen  # the first makes the graph
            assert many["waited"] == few["waited"], "copies that the GPU stops for"
            assert many["sent"] > few["sent"] > 0
            assert (few["read"], many["read"]) == (3, 9)
        assert set(before) == {0}, "values are read when all has been computed"


@settings(max_examples=30)
@given(data=st.data())
def test_random_caffe_nets(kind: str, data: st.DataObject) -> None:
    spec = data.draw(specs())
    arrays = weights(spec, np.random.default_rng(data.draw(st.integers(0, 99))))
    compare(data, lambda device: CaffeTorchNet(spec, arrays, device=device))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@settings(max_examples=20)
@given(data=st.data())
def test_random_modules(kind: str, data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 3), st.integers(4, 10), st.integers(4, 10)))
    drawn_module = data.draw(modules(shape))
    if any(getattr(child, "name", None) == "rows" for child in drawn_module.modules()):
        return  # makes a tensor on the CPU itself
    compare(data, lambda device: ModuleNet(drawn_module, input_shape=shape, output="activation", device=device))


def compare(data: st.DataObject, make: Any) -> None:
    """The same windows on the CPU and there."""
    here = make("cpu")
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    blob = data.draw(st.sampled_from(list(here.blobs)))
    window, places = data.draw(origins(here.input_shape[1:], most=6))
    image = generator.standard_normal(here.input_shape).astype(np.float32)
    shape = (len(places), data.draw(st.integers(1, 4)), here.input_shape[0], *window)
    patches = generator.standard_normal(shape).astype(np.float32)
    ask: dict[str, Any] = {
        "blob": blob, "units": data.draw(some_units(here.blobs[blob])), "batch_size": data.draw(st.integers(1, 30))
    }  # fmt: skip
    there = make("cuda")
    for incremental in (True, False):
        here.incremental = there.incremental = incremental
        agree(there.evaluate(image, places, patches, **ask), here.evaluate(image, places, patches, **ask))


def test_batches_stay_below_what_kernels_can_count(monkeypatch: pytest.MonkeyPatch) -> None:
    caffe_net, corpus = caffe("cpu"), images(2)
    sizes: list[int] = []
    run = Changes.follow

    def watched(self: Changes, places: np.ndarray, changed: Any) -> None:
        sizes.append(len(changed))
        run(self, places, changed)

    monkeypatch.setattr(Changes, "follow", watched)
    patches = np.tile(corpus[1, :, :3, :3], (4, 9, 1, 1, 1))
    ask: dict[str, Any] = {"blob": "prob", "units": [(0,)], "batch_size": 100}
    places = np.array([[0, 0], [3, 2], [5, 5], [9, 1]])
    wanted = caffe_net.evaluate(corpus[0], places, patches, **ask)
    assert sizes == [36]
    monkeypatch.setattr(engine, "INDEXED", 10 * caffe_net._route(None, "prob", [0]).elements(3))
    agree(caffe_net.evaluate(corpus[0], places, patches, **ask), wanted)
    assert sizes[1:] == [9] * 4


def test_autocast_is_the_cpus_there() -> None:
    """Of what bfloat16 does on a GPU the logical one shows as much as a CPU does."""
    with gpu(), computing("bfloat16", GPU):
        assert (torch.ones(1, 2, device=GPU) @ torch.ones(2, 1, device=GPU)).dtype == torch.bfloat16
