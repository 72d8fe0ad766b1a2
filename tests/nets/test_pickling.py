"""Nets that are pickled, copied or sent to another process: the same values, to the bit."""

from __future__ import annotations

import copy
import pickle
import sys
from typing import Any

import numpy as np
import pytest
from helpers.engines import ENGINES, needed
from helpers.small_net import SHAPE, images, make
from helpers.spawned import elsewhere, values_of

from predicdiff.nets.preprocessing import Preprocessing

pytestmark = needed

ORIGINS, PATCHES = np.array([[0, 0], [3, 1]]), images(2, 3, 3, 2, 2, seed=2) * 50
ASK: dict[str, Any] = {"blob": "prob", "units": [(0,), (2,)], "batch_size": 4}
SETTINGS: dict[str, Any] = {
    "name": "small",
    "preprocessing": Preprocessing(mean=[9.0, 8.0, 7.0], scale=0.1),
    "training_instances": 99,
}


def module_net(**settings: Any) -> Any:
    """A torch module with the weights of the small net, and what pickles of its parts: a hook that is imported."""
    torch = pytest.importorskip("torch")
    from helpers.random_modules import Normalised
    from torch import nn

    from predicdiff.nets.modules.net import ModuleNet

    torch.manual_seed(0)
    module = nn.Sequential(
        Normalised(3), nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Dropout(), nn.Flatten(), nn.Linear(48, 3)
    )
    module[1].register_forward_pre_hook(unchanged)
    return ModuleNet(module, input_shape=SHAPE, device="cpu", **settings)


def unchanged(*_: Any) -> None:
    """A hook that changes nothing."""


NETS = {"module": module_net, **{engine: lambda engine=engine, **how: make(engine=engine, **how) for engine in ENGINES}}


def same(net: Any, other: Any) -> None:
    assert type(other) is type(net)
    assert other.provenance == net.provenance
    assert (other.labels, other.training_instances, other.blobs) == (net.labels, net.training_instances, net.blobs)
    values = [values_of(each, images(*SHAPE), ORIGINS, PATCHES, ASK) for each in (net, other)]
    np.testing.assert_array_equal(*values)


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize(
    "copied", [lambda net: pickle.loads(pickle.dumps(net)), copy.deepcopy, copy.copy], ids=["pickle", "deep", "shallow"]
)
def test_a_net_again(kind: str, copied: Any) -> None:
    same(net := NETS[kind](**SETTINGS, labels=["a", "b", "c"]), copied(net))


@pytest.mark.parametrize("kind", NETS)
def test_only_a_shallow_copy_shares_weights(kind: str) -> None:
    net = NETS[kind](**SETTINGS)
    deep, hashes = copy.deepcopy(net), net.provenance["weights"]
    if kind == "module":
        net.module[5].bias.data += 1
        assert copy.copy(net).module is net.module
        assert net.provenance["weights"] != hashes
    elif kind == "caffe":
        net._net.params["fc"][1].data[...] += 1
    else:
        net._weights["fc"][1] += 1
    assert deep.provenance["weights"] == hashes
    changed, kept = (
        values_of(each, images(*SHAPE), ORIGINS, PATCHES, {**ASK, "blob": of})
        for each, of in ((net, "logits" if kind == "module" else "fc"), (deep, "logits" if kind == "module" else "fc"))
    )
    np.testing.assert_allclose(changed, kept + 1, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif("torch" not in ENGINES, reason="settings of torch")
@pytest.mark.parametrize("kind", ["module", "torch"])
def test_settings_are_kept_and_not_shared(kind: str) -> None:
    net = NETS[kind]()
    net.incremental, net.precision = False, "bfloat16"
    for other in (copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert (other.incremental, other.precision) == (False, "bfloat16")
        other.precision = "float32"
        other.evaluate(images(*SHAPE), ORIGINS, PATCHES, **ASK)
    assert (net.precision, net.work.dense) == ("bfloat16", 0)
    other = net.with_weights({})
    assert (other.incremental, other.precision) == (False, "bfloat16")
    assert pickle.loads(pickle.dumps(net.one_by_one())).alone
    assert not pickle.loads(pickle.dumps(net)).alone


@pytest.mark.skipif("torch" not in ENGINES, reason="modules are torch's")
def test_a_module_that_cannot_be_pickled(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cloudpickle", "joblib.externals.cloudpickle", "dill"):  # which can do more, and are left to try
        monkeypatch.delitem(sys.modules, name, raising=False)
    net = module_net()
    net.module[0].register_forward_hook(lambda *_: None)
    with pytest.raises(
        pickle.PicklingError, match=r"net 'Sequential' cannot be pickled, since its module cannot \(.*\): want"
    ):
        pickle.dumps(net)
    same(net, copy.deepcopy(net))
    monkeypatch.setitem(sys.modules, "cloudpickle", object())
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):  # of pickle itself
        pickle.dumps(net)


@pytest.mark.whole
@pytest.mark.parametrize("kind", NETS)
def test_another_process(kind: str) -> None:
    net = NETS[kind](**SETTINGS)
    work = (images(*SHAPE), ORIGINS, PATCHES, ASK)
    np.testing.assert_array_equal(elsewhere(net, *work), values_of(net, *work))
