"""Modules that do not answer alike however they are asked: what is found out at the door, and what becomes of them."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch
from helpers.rounding import float32_atol
from torch import Tensor, nn
from torch.nn import functional

import predicdiff as pd
from predicdiff.errors import BlobError, ExplanationError, InputWarning, SettingsError

SHAPE = (3, 12, 12)
RNG = np.random.default_rng(0)
IMAGE, CORPUS = RNG.normal(size=SHAPE).astype(np.float32), RNG.normal(size=(12, *SHAPE)).astype(np.float32)
CORPUS[:, :, ::5, ::5] *= 4
ASKED: dict[str, Any] = {"window": 4, "stride": 4, "between": "none", "samples": 3, "units": [0]}


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.relu = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()
        self.linear = nn.Linear(6 * 12 * 12, 5)

    def features(self, x: Tensor) -> Tensor:
        return self.relu(self.norm(self.conv(x))).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.features(x))


class Scaled(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward((x - x.min()) / (x.max() - x.min()))


class NoStatistics(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(6, track_running_stats=False)


class OverTheBatch(Plain):
    """The well-known slip."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).softmax(0) + 0.1 * super().forward(x)


class Reshaped(Plain):
    """Takes a batch of one."""

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.features(x).reshape(1, -1))


class Pooled(Plain):
    """Gives one answer for the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).mean(0, keepdim=True)


class Dropping(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.linear(functional.dropout(self.features(x), 0.3))


class Attending(Plain):
    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2)
        seen = functional.scaled_dot_product_attention(tokens, tokens, tokens, dropout_p=0.2).mean(2)
        return self.linear(self.features(x)) + functional.pad(seen, (0, 2))


class Limited(Plain):
    """Serves five images of a batch, as a mixture of experts of that capacity; no two or three show it."""

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return torch.cat([y[:5], 0 * y[5:]])


class Referred(Plain):
    """Holds every image against the first that it saw."""

    first: Any = None

    def forward(self, x: Tensor) -> Tensor:
        if self.first is None:
            self.first = x.mean()
        return super().forward(x - self.first)


class Initialised(Plain):
    """Learns a weight from its first images."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if float(self.scale) == 0:
            self.scale.data.fill_(2 + float(x.std()))
        return super().forward(x * self.scale)


class Noting(Plain):
    """Counts its passes, and keeps what it computed, and a grid for each size; its answers know nothing of that."""

    def __init__(self) -> None:
        super().__init__()
        self.passes, self.grids, self.seen = 0, {}, None
        self.first = nn.LeakyReLU(inplace=True)

    def features(self, x: Tensor) -> Tensor:
        self.passes += 1
        grid = self.grids.setdefault(x.shape[2], torch.linspace(0, 1, x.shape[3]))
        self.seen = super().features(self.first(x) + grid)  # works in place on its very input
        return self.seen


class OfTwoModes(Plain):
    """Has a train() of its own."""

    def train(self, mode: bool = True) -> OfTwoModes:
        self.gain = 2.0 if mode else 1.0
        return super().train(mode)


class Repeating(Plain):
    """Goes through its convolution as often as the image is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.linear = nn.Conv2d(3, 3, 3, padding=1), nn.Linear(3 * 12 * 12, 5)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(1 + int(x.abs().max() > 0)):
            x = self.relu(self.conv(x))
        return self.linear(x.flatten(1))


def quantised() -> nn.Module:
    """Its scale is taken from the largest of the batch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's quantisation moves to a package of its own
        module: nn.Module = torch.ao.quantization.quantize_dynamic(Plain().eval(), {nn.Linear}, dtype=torch.qint8)
    return module


def made(kind: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return kind().eval()


def one_at_a_time(module: nn.Module) -> np.ndarray:
    """Probabilities (n, S) of class 0, each image made by hand and given to the module alone."""
    sampler = pd.MarginalSampler(CORPUS)
    origins = pd.windows.grid(SHAPE[1:], window=4, stride=4)
    draws = sampler.draw(IMAGE, origins, window=4, samples=3, seed=0)
    values = np.empty(draws.shape[:2])
    for (window, draw), _ in np.ndenumerate(values):
        image, (row, column) = IMAGE.copy(), origins[window]
        image[:, row : row + 4, column : column + 4] = draws[window, draw]
        with torch.inference_mode():
            values[window, draw] = module(torch.tensor(image)[None]).softmax(1)[0, 0]
    return values


@pytest.mark.parametrize("kind", [Scaled, NoStatistics, OverTheBatch, quantised, Reshaped, Pooled])
def test_a_module_that_mixes_a_batch_is_given_one_image_at_a_time(kind: Callable[[], nn.Module]) -> None:
    module = made(kind)
    by_hand = one_at_a_time(copy.deepcopy(module))
    with pytest.warns(InputWarning, match="each image is computed alone"):
        net = pd.load_net(module, input_shape=SHAPE)
    result = pd.explain(net, IMAGE, pd.MarginalSampler(CORPUS), measure="activation", batch_size=64, **ASKED)
    fall = result.base[0] - by_hand.mean(1)
    rounding = float32_atol([10.0], 6 * 12 * 12)  # of scores, which a softmax passes on no larger
    np.testing.assert_allclose(result.relevance[0, ::4, ::4].ravel(), fall, rtol=0, atol=rounding)
    assert any("one image at a time" in note for note in result.notes)
    assert result.provenance["net"]["alone"] is True
    assert result.provenance["batch_size"] == 1
    assert result.provenance["evaluation"] == "dense, since it is given one image at a time"


def test_weights_of_a_net_that_is_given_one_image_at_a_time_can_be_changed() -> None:
    with pytest.warns(InputWarning, match="computed alone"):
        net: Any = pd.load_net(made(Scaled), input_shape=SHAPE)
    assert net.with_weights(net.weights).alone
    batch = np.stack([IMAGE, *CORPUS[:2]])
    together = net.forward(batch, ["logits"])["logits"]
    np.testing.assert_array_equal(together[1], net.forward(batch[1:2], ["logits"])["logits"][0])


@pytest.mark.parametrize("kind", [Dropping, Attending])
def test_a_module_that_draws_is_computed_wholly_and_told_of(kind: Callable[[], nn.Module]) -> None:
    net = pd.load_net(made(kind), input_shape=SHAPE)
    with pytest.warns(InputWarning, match="answers differently each time"):
        result = pd.explain(net, IMAGE, pd.MarginalSampler(CORPUS), **ASKED)
    assert result.provenance["evaluation"] == "dense, since it answers differently each time"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_usual_modules_are_not_taken_for_others(seed: int, size: float) -> None:
    """Whatever the size of their values; warnings are errors here."""
    module = made(Plain, seed)
    with torch.no_grad():
        module.linear.weight.mul_(size)  # type: ignore[union-attr, operator]
    net: Any = pd.load_net(module, input_shape=SHAPE)
    assert net.dense_because is None
    result = pd.explain(net, IMAGE, pd.MarginalSampler(CORPUS), blob="logits", **ASKED)
    assert not [note for note in result.notes if note.startswith("Net ")]


def hook(module: Any) -> None:
    module.conv.register_forward_hook(lambda _, __, output: 2 * output)


def ablate(module: Any) -> None:
    channels = torch.tensor([0.0, *[1.0] * 5])[:, None, None]
    module.conv.register_forward_hook(lambda _, __, output: output * channels)


def replace_layer(module: Any) -> None:
    module.conv = nn.Conv2d(3, 6, 5, padding=2)


def replace_activation(module: Any) -> None:
    module.relu = nn.GELU()


def cut_at_the_edge(module: Any) -> None:
    """Only the last windows see it."""
    edge = torch.ones(12, 12)
    edge[:, -1] = 0
    module.conv.register_forward_hook(lambda _, __, output: output * edge)


def add_classes(module: Any) -> None:
    module.linear = nn.Linear(6 * 12 * 12, 7)


@pytest.mark.parametrize("change", [hook, ablate, cut_at_the_edge, replace_layer, replace_activation, add_classes])
def test_a_module_that_was_changed_after_it_was_loaded_is_read_anew(change: Callable[[Any], None]) -> None:
    module = made(Plain)
    net = pd.load_net(module, input_shape=SHAPE)
    change(module)
    with pytest.warns(InputWarning, match="'Plain' has changed since it was loaded, and was read anew"):
        result = pd.explain(net, IMAGE, pd.MarginalSampler(CORPUS), **ASKED)
    wanted = pd.explain(pd.load_net(module, input_shape=SHAPE), IMAGE, pd.MarginalSampler(CORPUS), **ASKED)
    np.testing.assert_array_equal(result.relevance, wanted.relevance)


class Choosing(Plain):
    """Drops out on demand, and has a gain that a trace takes for a constant."""

    noisy, gain = False, 1.0

    def features(self, x: Tensor) -> Tensor:
        return functional.dropout(self.gain * super().features(x), 0.3, self.noisy)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_number_that_was_changed_since_it_was_loaded_is_seen_whatever_the_precision(precision: str) -> None:
    module: Any = made(Choosing)
    net = pd.load_net(module, input_shape=SHAPE, precision=precision)
    module.gain = 1.1
    with pytest.warns(InputWarning, match="'Choosing' has changed since it was loaded"):
        pd.explain(net, IMAGE, pd.MarginalSampler(CORPUS), **ASKED)


def drop_by_a_hook(module: Any) -> None:
    module.relu.register_forward_hook(lambda _, __, output: functional.dropout(output, 0.3))


def drop_by_a_flag(module: Any) -> None:
    module.noisy = True


@pytest.mark.parametrize("change", [drop_by_a_hook, drop_by_a_flag])
def test_a_module_that_draws_since_it_was_loaded_is_read_anew(change: Callable[[Any], None]) -> None:
    """So draws have the noise too, not the untouched image alone."""
    module = made(Choosing)
    net = pd.load_net(module, input_shape=SHAPE)
    change(module)
    with pytest.warns(InputWarning, match="differently each time"), pytest.warns(InputWarning, match="has changed"):
        result = pd.explain(net, IMAGE, pd.MarginalSampler(CORPUS), **ASKED)
    assert result.provenance["evaluation"] == "dense, since it answers differently each time"


def test_a_module_that_mixes_since_it_was_loaded_is_warned_of() -> None:
    module = made(Plain)
    net: Any = pd.load_net(module, input_shape=SHAPE)
    module.conv.register_forward_hook(lambda *of: of[2] - of[2].mean())  # type: ignore[union-attr, operator]
    with pytest.warns(InputWarning, match="computed alone"), pytest.warns(InputWarning, match="has changed"):
        result = pd.explain(net, IMAGE, pd.MarginalSampler(CORPUS), **ASKED)
    assert result.provenance["net"]["alone"] is True
    assert net.evaluation("prob") == "dense, since its module has changed since it was loaded"


def test_a_blob_of_another_shape_since_then_is_refused() -> None:
    module = made(Plain)
    net = pd.load_net(module, input_shape=SHAPE)
    add_classes(module)
    with pytest.raises(BlobError, match=r"'logits' of net 'Plain' is \(1, 7\) .* has changed since it was loaded"):
        pd.sensitivity(net, IMAGE)


def test_a_module_that_was_made_another_type_is_read_anew() -> None:
    module = made(Plain)
    net = pd.load_net(module, input_shape=SHAPE)
    module.double()
    with pytest.warns(InputWarning, match="Net 'Plain' has changed since it was loaded, and was read anew"):
        result = pd.explain(net, IMAGE, pd.MarginalSampler(CORPUS), **ASKED)
    wanted = pd.explain(pd.load_net(module, input_shape=SHAPE), IMAGE, pd.MarginalSampler(CORPUS), **ASKED)
    assert np.array_equal(result.relevance, wanted.relevance)


def test_a_module_that_takes_neither_two_images_nor_one_is_refused_for_the_first_reason() -> None:
    with pytest.raises(SettingsError, match=r"does not take 2 inputs of shape \(4, 12, 12\) at once: .*channels"):
        pd.load_net(made(Plain), input_shape=(4, 12, 12))


def test_a_run_that_was_begun_without_a_hook_is_another(tmp_path: Any) -> None:
    """Its finished tiles are of the module as it was."""
    module, sampler = made(Plain), pd.MarginalSampler(CORPUS)
    before = pd.load_net(module, input_shape=SHAPE).provenance["definition"]
    pd.explain(pd.load_net(module, input_shape=SHAPE), IMAGE, sampler, checkpoint=tmp_path / "tiles", **ASKED)
    handle = module.conv.register_forward_hook(lambda _, __, output: 2 * output)  # type: ignore[union-attr, operator]
    hooked = pd.load_net(module, input_shape=SHAPE)
    with pytest.raises(ExplanationError, match=r"tiles of a run with other settings .*definition was"):
        pd.explain(hooked, IMAGE, sampler, checkpoint=tmp_path / "tiles", **ASKED)
    handle.remove()
    assert pd.load_net(module, input_shape=SHAPE).provenance["definition"] == before


def test_a_module_that_mixes_long_batches_alone_is_found_out_in_the_run() -> None:
    module = made(Limited)
    by_hand = one_at_a_time(copy.deepcopy(module))
    net: Any = pd.load_net(module, input_shape=SHAPE)
    asked = {"measure": "activation", **ASKED}
    with pytest.raises(SettingsError, match=r"other values of 'prob' for a draw in the run .*one_by_one\(\)"):
        pd.explain(net, IMAGE, pd.MarginalSampler(CORPUS), batch_size=16, **asked)
    result = pd.explain(net.one_by_one(), IMAGE, pd.MarginalSampler(CORPUS), **asked)
    rounding = float32_atol([10.0], 6 * 12 * 12)
    np.testing.assert_allclose(
        result.relevance[0, ::4, ::4].ravel(), result.base[0] - by_hand.mean(1), rtol=0, atol=rounding
    )


class Gained(Plain):
    gain = 1.0

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x * self.gain)


def test_a_module_that_is_changed_in_a_run_or_before_it_goes_on_is_found_out(tmp_path: Path) -> None:
    """Neither its weights nor its description tell: the first tiles would be those of another net."""
    sampler, asked = pd.MarginalSampler(CORPUS), {**ASKED, "stride": 1, "samples": 9}

    def change(done: int, windows: int) -> None:
        module.gain = 2.0 if done == windows else 1.0

    def leave(done: int, _: int) -> None:
        raise KeyboardInterrupt

    module = made(Gained)
    with pytest.raises(SettingsError, match="other values of 'prob' for the image at the beginning of the run"):
        pd.explain(pd.load_net(module, input_shape=SHAPE), IMAGE, sampler, progress=change, **asked)
    module = made(Gained)
    net = pd.load_net(module, input_shape=SHAPE)
    with pytest.raises(KeyboardInterrupt):
        pd.explain(net, IMAGE, sampler, progress=leave, checkpoint=tmp_path / "tiles", **asked)
    change(1, 1)
    with pytest.raises(SettingsError, match=r"other values of 'prob' for the image in the run that left .*tiles"):
        pd.explain(pd.load_net(module, input_shape=SHAPE), IMAGE, sampler, checkpoint=tmp_path / "tiles", **asked)


@pytest.mark.parametrize(
    ("kind", "says"),
    [(Referred, "Referred answers otherwise once it has been run"), (Initialised, r"changes its weights \(scale\)")],
)
def test_a_module_that_remembers_what_it_was_tried_out_on_is_told_of(
    monkeypatch: pytest.MonkeyPatch, kind: type[Plain], says: str
) -> None:
    with pytest.warns(InputWarning, match=says):
        net: Any = pd.load_net(made(kind), input_shape=SHAPE)
    monkeypatch.setattr("predicdiff.nets.engine.torch_base.threads", lambda: 3)
    assert net.evaluating_threads() == 0, "in which order it is asked must not be left to threads"


def test_a_module_that_only_keeps_what_it_computed_is_not() -> None:
    """Warnings are errors here."""
    pd.load_net(made(Noting), input_shape=SHAPE)


def test_a_module_whose_weights_are_not_made_yet_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"has weights that are made when it is first run, such as '1\.weight'"):
        pd.load_net(nn.Sequential(nn.Flatten(), nn.LazyLinear(3)), input_shape=SHAPE)


def test_a_module_with_a_train_mode_of_its_own_is_to_be_put_into_evaluation_mode_before() -> None:
    with pytest.warns(InputWarning, match="OfTwoModes has a train\\(\\) of its own"):
        pd.load_net(OfTwoModes().train(), input_shape=SHAPE)
    pd.load_net(OfTwoModes().eval(), input_shape=SHAPE)


def test_a_start_that_is_computed_another_number_of_times_is_no_start() -> None:
    """The last of its outputs would stay as it is, and the map would be zero."""
    net = pd.load_net(made(Repeating), input_shape=SHAPE)
    sampler = pd.MarginalSampler(net.forward(CORPUS, ["conv"])["conv"])
    with pytest.raises(BlobError, match=r"'conv' .* 1 times for a black image and another number of times"):
        pd.explain(net, IMAGE, sampler, start="conv", **ASKED)


def test_a_hidden_blob_is_the_last_output_however_often_it_was_computed() -> None:
    module = made(Repeating)
    inputs = torch.tensor(IMAGE)[None]
    with torch.no_grad():
        twice = module.conv(module.relu(module.conv(inputs))).numpy()  # type: ignore[operator]
    net = pd.load_net(module, input_shape=SHAPE)
    np.testing.assert_allclose(net.forward(IMAGE[None], ["conv"])["conv"], twice, rtol=0, atol=float32_atol([1.0], 27))
