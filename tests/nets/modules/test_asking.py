"""What a module is given besides images, and which of what it returns is taken, against calls of the module itself."""

from __future__ import annotations

import dataclasses
import functools
import operator
import pickle
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from helpers.rounding import float32_atol  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from predicdiff.errors import SettingsError  # noqa: E402
from predicdiff.nets import zoo  # noqa: E402
from predicdiff.nets.modules.net import ModuleNet  # noqa: E402

SHAPE = (3, 8, 7)
#: Of values around 1, whose longest sum is over 144 products.
ROUNDING = float32_atol(1.0, 144)
PLACES = np.array([[0, 0], [4, 3], [2, 1]])


class Named(NamedTuple):
    maps: Tensor
    scores: Tensor


@dataclasses.dataclass
class Held:
    scores: Tensor
    note: str = "none"


@dataclasses.dataclass
class Output(OrderedDict):  # type: ignore[type-arg]
    """As Hugging Face's: a dataclass and a dict of what is not None."""

    loss: Any = None
    logits: Any = None
    hidden: Any = None

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            if vars(self)[each.name] is not None:
                self[each.name] = vars(self)[each.name]


class Ends(nn.Module):
    """A convolution's maps and scores of them, returned as a function says."""

    def __init__(self, end: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.linear, self.end = nn.Conv2d(3, 4, 3, stride=2), nn.Linear(36, 5), end

    def scores(self, x: Tensor) -> Tensor:
        return self.linear(self.conv(x).flatten(1))

    def forward(self, x: Tensor, labels: Any = None) -> Any:
        if labels is not None:  # as nets in training
            raise RuntimeError("labels came")
        maps = self.conv(x).relu()
        return self.end(maps, self.linear(maps.flatten(1)))


def as_dict(maps: Tensor, scores: Tensor) -> Any:
    return {"maps": maps, "scores": scores}


def as_output(maps: Tensor, scores: Tensor) -> Any:
    return Output(logits=scores, hidden=maps)


def total(returned: Any) -> Any:
    return returned["scores"] + returned["maps"].mean((2, 3)).sum(1, keepdim=True)


def scaled(returned: Any, by: float) -> Any:
    return by * returned["scores"]


def times(by: float) -> Any:
    return lambda returned: by * returned["scores"]


class Scaled:
    def __init__(self, by: float) -> None:
        self.by = by

    def __call__(self, returned: Any) -> Any:
        return scaled(returned, self.by)


def images(count: int = 2) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((count, *SHAPE)).astype(np.float32)


def make(module: nn.Module, **settings: Any) -> ModuleNet:
    return ModuleNet(module, input_shape=SHAPE, device="cpu", **settings)


def check(net: ModuleNet, wanted: Any) -> None:
    """A net's own output, densely and incrementally, against ``wanted`` of tensors (b, C, H, W)."""
    inputs = images(1)
    patches = np.random.default_rng(2).standard_normal((3, 2, 3, 3, 3)).astype(np.float32)
    own = net.scores or "output"
    with torch.no_grad():
        given = net.forward(images(), [own])[own]
        np.testing.assert_allclose(given, wanted(torch.tensor(images())).numpy(), atol=ROUNDING)
        values = net.evaluate(inputs[0], PLACES, patches, blob=own, units=[(0,), (3,)], batch_size=4)
        for i, (row, column) in enumerate(PLACES):
            for draw in range(2):
                inputs[0] = images(1)[0]
                inputs[0, :, row : row + 3, column : column + 3] = patches[i, draw]
                scores = wanted(torch.tensor(inputs))
                np.testing.assert_allclose(values[i, draw], scores[0, [0, 3]], atol=ROUNDING)


@pytest.mark.parametrize(
    ("end", "pick"),
    [
        (as_dict, "scores"),
        (as_dict, 1),
        (as_dict, -1),
        (as_dict, lambda returned: returned["scores"]),
        (lambda maps, scores: {"logits": scores, "maps": maps}, None),
        (lambda maps, scores: {"out": scores, "aux": scores + 1}, None),
        (lambda maps, scores: {"scores": scores, "classes": scores.argmax(1), "size": 5}, None),
        (lambda maps, scores: (maps, scores), 1),
        (lambda maps, scores: [scores], None),
        (lambda maps, scores: Named(maps, scores), "scores"),
        (lambda maps, scores: Named(maps, scores), 1),
        (lambda maps, scores: Held(scores), None),
        (as_output, None),
        (as_output, "logits"),
        (as_output, 0),
    ],
)
def test_one_of_several_outputs(end: Any, pick: Any) -> None:
    module = Ends(end)
    net = make(module, pick=pick)
    with torch.no_grad():
        wanted = module.linear(module.conv(torch.tensor(images())).relu().flatten(1)).numpy()
    assert net.blobs["logits"] == (5,)
    np.testing.assert_allclose(net.forward(images(), ["logits"])["logits"], wanted, atol=ROUNDING)
    # what is picked is traced, and only what a window changes is computed
    assert net.evaluation("logits") == "incremental up to flatten (flatten)"


def test_windows_are_those_of_the_module_whatever_it_returns() -> None:
    module = Ends(as_dict)
    check(make(module, pick=total), lambda x: total(module(x)))


def test_a_map_that_is_picked() -> None:
    module = Ends(as_dict)
    net = make(module, pick="maps", output="activation")
    assert net.blobs["output"] == (4, 3, 3)
    with torch.no_grad():
        wanted = module(torch.tensor(images()))["maps"].numpy()
    np.testing.assert_allclose(net.forward(images(), ["output"])["output"], wanted, atol=ROUNDING)
    assert net.dense_because is None


@pytest.mark.parametrize(
    ("end", "pick", "words"),
    [
        (as_dict, None, r"returns several outputs for 2 images, 'maps' \(2, 4, 3, 3\), 'scores' \(2, 5\): say"),
        (as_dict, "score", r"pick = 'score' \(--pick\): want one of what the module returns, 'maps' \(2, 4, 3, 3\), "),
        (as_dict, 2, r"pick = 2 \(--pick\): want one of what the module returns, 'maps'"),
        (lambda maps, scores: scores, 0, r"pick = 0 \(--pick\): want one of what the module returns, which is a Ten"),
        (lambda maps, scores: {"class": scores.argmax(1), "n": 2}, None, r"a dict \('class' \(2,\), 'n' int\), in"),
        (lambda maps, scores: 3, None, r"Ends returns a int \(which is a int\), in which nothing fits: want a tensor"),
        (as_dict, lambda returned: returned["none"], "pick fails on the dict that Ends returns .*: want a function"),
        (as_dict, lambda returned: 3, r"pick \(--pick\) takes a int of what Ends returns: want a tensor of floats"),
        (as_dict, 1.5, r"pick = 1.5 \(--pick\): want a key, an index, or a function"),
    ],
)  # fmt: skip
def test_outputs_that_are_not_there(end: Any, pick: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        make(Ends(end), pick=pick)


class Further(nn.Module):
    """Scores of an image, of facts about it and of a mask that it is seen through."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.linear = nn.Conv2d(3, 4, 3, stride=2), nn.Linear(38, 5)

    def forward(self, x: Tensor, facts: Tensor, mask: Any = None, *, twice: bool = False) -> Tensor:
        x = x if mask is None else x * mask
        scores = self.linear(torch.cat([self.conv(x).flatten(1), facts], 1))
        return 2 * scores if twice else scores


FACTS = torch.tensor([[0.5, -2.0]])
MASK = (torch.arange(56).reshape(8, 7) % 3 > 0).float()


@pytest.mark.parametrize(
    "also",
    [
        (FACTS,),
        [FACTS.double().numpy()],
        {"facts": FACTS, "mask": MASK, "twice": True},
        (FACTS, MASK[None, None]),
    ],
)
def test_further_inputs(also: Any) -> None:
    module = Further()
    rest = list(also.values()) if isinstance(also, dict) else also
    facts, mask, twice = (*rest, *(None, False)[len(rest) - 1 :])

    def wanted(x: Tensor) -> Tensor:
        scores = [module(one[None], torch.as_tensor(facts).float(), mask, twice=twice) for one in x]
        return torch.cat(scores)

    net = make(module, also=also)
    assert net.dense_because is None
    check(net, wanted)
    check(pickle.loads(pickle.dumps(net)), wanted)


def test_further_inputs_are_copied_and_belong_to_what_a_net_is() -> None:
    facts = FACTS.clone()
    nets = [make(Further(), also=also) for also in ((facts,), (FACTS + 1,), (FACTS, MASK), {"facts": FACTS})]
    before = nets[0].forward(images(), ["logits"])["logits"]
    facts += 1
    assert np.array_equal(nets[0].forward(images(), ["logits"])["logits"], before)
    assert len({net.provenance["definition"] for net in nets}) == 4
    picks = (
        "scores", 1, total, lambda returned: returned["scores"], lambda returned: returned["scores"] + 1,
        times(2), times(3), functools.partial(scaled, by=2), functools.partial(scaled, by=3),
        operator.itemgetter("scores"), Scaled(2), Scaled(3),
    )  # fmt: skip
    assert len({make(Ends(as_dict), pick=pick).provenance["definition"] for pick in picks}) == len(picks)


@pytest.mark.parametrize(
    ("also", "words"),
    [
        ((FACTS.to_sparse(),), "also holds a tensor that is torch.sparse_coo on cpu: want one that is dense"),
        (([torch.empty(1, 2, device="meta")],), "also holds a tensor that is torch.strided on meta: want"),
        ((FACTS, {"mask": Scaled(2)}), "also holds a Scaled: want tensors, arrays, numbers, texts or None, or tuples"),
        ((np.array([Scaled(2)]),), "also holds an array of object: "),
        ((), r"missing 1 required positional argument.* What it takes besides images is given by also="),
        (FACTS, "also is a Tensor: want a tuple of the inputs behind the image, or a dict"),
        (3, "also is a int: want a tuple"),
    ],
)
def test_further_inputs_that_do_not_fit(also: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        make(Further(), also=also)


class Deeper(Further):
    """The same, given all that is further in one."""

    def forward(self, x: Tensor, further: Any) -> Tensor:  # type: ignore[override]
        assert further["facts"][0].dtype == x.dtype
        return super().forward(x, further["facts"][0])


def test_tensors_within_further_inputs_are_as_those_beside_them() -> None:
    facts = FACTS.double()
    nets = [make(Deeper(), also=({"facts": [one]},)) for one in (facts, facts + 1)]
    module, before = Further(), FACTS.clone()
    facts += 1
    check(nets[0], lambda x: module(x, before.expand(len(x), 2)))
    assert len({net.provenance["definition"] for net in nets}) == 2
    assert make(Deeper(), also=nets[1]._ask.also).provenance == nets[1].provenance


@pytest.mark.parametrize("count", [2, 3])
def test_a_further_input_that_could_pass_for_a_batch_is_not_taken_for_one(count: int) -> None:
    with pytest.raises(SettingsError, match=r"does not take . inputs of shape .* at once: Sizes of tensors must match"):
        make(Further(), also=(FACTS.repeat(count, 1),))


@pytest.mark.parametrize("asked", [{"pick": "logits"}, {"also": (1,)}])
def test_a_net_that_is_no_module_is_asked_in_one_way(asked: dict[str, Any]) -> None:
    for source in ("googlenet", "deploy.prototxt", "efficientnet_lite0"):
        with pytest.raises(SettingsError, match="say what of a module's outputs is explained and what else goes in"):
            zoo.load_net(source, **asked)
