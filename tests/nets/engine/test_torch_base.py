"""What is torch's own about nets on torch."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from helpers.records import layer, net  # noqa: E402
from helpers.small_net import SHAPE, definition, images, make, weights  # noqa: E402

from predicdiff import budget  # noqa: E402
from predicdiff.errors import OutOfMemoryError, SettingsError  # noqa: E402
from predicdiff.nets.caffe.torch_net import CaffeTorchNet  # noqa: E402


def test_gradient_where_torch_was_told_to_keep_none() -> None:
    torch_net, x = make(), images(*SHAPE)
    wanted = torch_net.gradient(x, blob="fc", unit=0)
    with torch.no_grad():
        np.testing.assert_array_equal(torch_net.gradient(x, blob="fc", unit=0), wanted)
    with torch.inference_mode():
        np.testing.assert_array_equal(torch_net.gradient(x, blob="fc", unit=0), wanted)


def test_memory_that_runs_out() -> None:
    huge = layer("Convolution", "data", "huge", num_output=1, kernel_size=[1], pad=[15000], bias_term=False)
    torch_net = CaffeTorchNet(net((1, 1, 1), huge), {"huge": [np.ones((1, 1, 1, 1))]}, device="cpu")
    with budget.within(10**15), pytest.raises(OutOfMemoryError, match=r"memory ran out .*: use smaller batches"):
        torch_net.forward(np.zeros((3000, 1, 1, 1)), ["huge"])
    assert torch_net.bytes_per_input("huge") >= 4 * 30001**2


def test_a_pass_is_asked_for_before_it_is_computed() -> None:
    """16 million numbers, which memory has room for: what is refused is refused by the bound alone."""
    wide = layer("Pooling", "data", "wide", pool="AVE", kernel_size=2001, pad=2000, stride=2000)
    torch_net = CaffeTorchNet(net((1, 4, 4), wide), {}, device="cpu")
    image, asked = np.ones((1, 1, 4, 4), np.float32), {"blob": "wide", "unit": (0, 0, 0)}
    origins, patches = np.zeros((1, 2), int), np.ones((1, 1, 1, 2, 2), np.float32)
    with budget.within(50 * 10**6):
        with pytest.raises(OutOfMemoryError, match="64 MB of memory, and 50 MB are allowed"):
            torch_net.forward(image, ["wide"])
        with pytest.raises(OutOfMemoryError, match="and 50 MB are allowed"):
            torch_net.gradient(image[0], **asked)
        with pytest.raises(OutOfMemoryError, match="and 50 MB are allowed"):
            torch_net.evaluate(image[0], origins, patches, blob="wide", units=[(0, 0, 0)], batch_size=1)
    with budget.within(100 * 10**6):
        assert torch_net.forward(image, ["wide"])["wide"].shape == (1, 1, 2, 2)


@pytest.mark.parametrize("device", ["nowhere", "cuda:99", "meta:x"])
def test_devices_that_are_not_there(device: str) -> None:
    with pytest.raises(SettingsError, match=f"device '{device}' cannot be used"):
        CaffeTorchNet(definition(), weights(), device=device)


def test_products_in_float32_whatever_torch_was_told() -> None:
    matrix, inputs = images(6, 30, seed=5), images(64, 1, 6, 5)
    product = layer("InnerProduct", "data", "vector", num_output=6, bias_term=False)
    torch_net = CaffeTorchNet(net((1, 6, 5), product), {"vector": [matrix]}, device="cpu")
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        values = torch_net.forward(inputs, ["vector"])["vector"]
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    np.testing.assert_allclose(values, inputs.reshape(64, 30).astype(np.float64) @ matrix.T, rtol=1e-5, atol=1e-5)
