"""Products in less than float32: refused where the device has none, told apart, and measured."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from helpers.oracle_nets import analysis  # noqa: E402
from helpers.small_net import SHAPE, images, make  # noqa: E402

from predicdiff.effort import precision_gap  # noqa: E402
from predicdiff.errors import SettingsError  # noqa: E402
from predicdiff.nets.engine.device import check_precision, computing  # noqa: E402
from predicdiff.nets.zoo import load_net  # noqa: E402
from predicdiff.samplers.marginal import MarginalSampler  # noqa: E402

CPU = torch.device("cpu")


def test_names() -> None:
    assert check_precision("bfloat16", CPU) == "bfloat16"
    assert check_precision("tf32", torch.device("cuda")) == "tf32"
    with pytest.raises(SettingsError, match="precision 'half' is unknown: want one of float32, tf32, bfloat16"):
        check_precision("half", CPU)
    with pytest.raises(SettingsError, match="precision tf32 is a GPU's, and the device is cpu"):
        make().precision = "tf32"


def test_a_gpu_that_is_too_old_for_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    with pytest.raises(SettingsError, match="bfloat16 is not known to this GPU: want float32"):
        check_precision("bfloat16", torch.device("cuda"))
    assert check_precision("bfloat16", CPU) == "bfloat16"


def test_products_are_rounded_as_asked() -> None:
    values = torch.full((1, 2), 1 + 2**-10)
    with computing("bfloat16", CPU):
        assert (values @ values.T).item() == 2
    with computing("float32", CPU):
        assert (values @ values.T).item() == 2 * (1 + 2**-10) ** 2


def test_a_net_says_in_what_it_computes() -> None:
    net = make()
    assert "precision" not in net.provenance
    net.precision = "bfloat16"
    assert net.provenance["precision"] == "bfloat16"
    inputs = images(1, *SHAPE)
    coarse, exact = (one.forward(inputs, ["fc"])["fc"] for one in (net, make()))
    assert coarse.dtype == np.float32
    assert 0 < np.abs(coarse - exact).max() < 0.05 * np.abs(exact).max()
    np.testing.assert_array_equal(
        net.gradient(inputs[0], blob="fc", unit=1), make().gradient(inputs[0], blob="fc", unit=1)
    )


def test_evaluated_patches_are_rounded_too() -> None:
    values = []
    for precision in ("float32", "bfloat16"):
        net = make()
        net.precision = precision
        patches = images(2, 3, 3, 2, 2, seed=3)
        values.append(
            net.evaluate(
                images(*SHAPE), np.array([[0, 0], [3, 2]]), patches, blob="fc", units=[(0,), (2,)], batch_size=4
            )
        )
    assert 0 < np.abs(values[1] - values[0]).max() < 0.05 * np.abs(values[0]).max()


def test_the_gap_is_measured() -> None:
    net, image = make(), images(*SHAPE)
    corpus = MarginalSampler(images(9, *SHAPE, seed=5))
    plan = analysis(net, image, corpus, window=2, samples=3, stride=1, blob="fc", units=[1])
    assert precision_gap(plan, 8)[0] == 0
    net.precision = "bfloat16"
    gap, most = precision_gap(analysis(net, image, corpus, window=2, samples=3, stride=1, blob="fc", units=[1]), 8)
    assert 0 < gap < 0.1 * most


def test_load_net_takes_a_precision() -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(90, 2))
    assert load_net(module, input_shape=SHAPE, precision="bfloat16", device="cpu").precision == "bfloat16"
    with pytest.raises(SettingsError, match="unknown: want one of"):
        load_net(module, input_shape=SHAPE, precision="double", device="cpu")
