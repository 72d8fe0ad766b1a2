"""A layer type is one `LayerType` and one `TorchLayer`, and nothing else knows it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import numpy as np
import pytest
from helpers.places import PACKAGE
from helpers.records import layer, net

from predicdiff.errors import LayerError
from predicdiff.nets.caffe.layer_types import TYPES, LayerType, Shapes
from predicdiff.nets.caffe.resolved import resolve

#: Where types stand by their names: the two registries, and the names of Caffe's old enumeration.
NAMED = ("layer_types", "torch_layers", "schema")


def names_of_types(tree: ast.Module) -> Iterator[str]:
    """Types that a module names in its code, whatever it does with them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in TYPES:
            yield node.value


def test_no_other_module_names_a_layer_type() -> None:
    offenders = []
    for path in sorted(PACKAGE.rglob("*.py")):
        # ONNX has types of its own with some of these names
        if not {path.stem, path.parent.stem}.intersection({*NAMED, "onnx"}):
            offenders += [
                f"{path.name}: {name}" for name in names_of_types(ast.parse(path.read_text(encoding="utf-8")))
            ]
    assert not offenders
    assert list(names_of_types(ast.parse("if step.layer.type == 'ReLU': pass"))) == ["ReLU"]


def test_a_type_that_somebody_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its kind: the field of channels doubled, plus one learnt number for each; forward, gradient, windows."""
    pytest.importorskip("torch")
    from predicdiff.nets.caffe.torch_layers import LAYERS, TorchLayer
    from predicdiff.nets.caffe.torch_layers.base import placewise
    from predicdiff.nets.caffe.torch_net import CaffeTorchNet

    record = layer("Toy", "data", "toy", times=2.0)
    spec = net((2, 5, 6), record, layer("InnerProduct", "toy", "fc", num_output=1))
    with pytest.raises(LayerError, match="'toy' is of type 'Toy', which is not known here"):
        resolve(spec)
    toy = LayerType(
        "Toy", lambda fields: Shapes(fields.take(1), (fields.image()[:1],), {"times": fields.number("times", 1.0)})
    )
    monkeypatch.setitem(TYPES, "Toy", toy)
    monkeypatch.setitem(
        LAYERS,
        "Toy",
        TorchLayer(
            "Toy", lambda bottoms, weights, times: bottoms[0] * times + weights[0][:, None, None], kind=placewise
        ),
    )
    weights = {"toy": [np.array([1.0, -1.0])], "fc": [np.ones((1, 60)), np.zeros(1)]}
    added = CaffeTorchNet(spec, weights, device="cpu")
    assert added.learnt == ["toy", "fc"]
    image, patches = np.ones((2, 5, 6), np.float32), np.full((1, 1, 2, 2, 2), 3, np.float32)
    np.testing.assert_array_equal(added.forward(image[None], ["toy"])["toy"][0, :, 0, 0], [3, 1])
    np.testing.assert_array_equal(added.gradient(image, blob="fc", unit=0), np.full((2, 5, 6), 2))
    assert added.evaluation("toy") == "incremental"
    values = added.evaluate(image, np.array([[1, 2]]), patches, blob="fc", units=[(0,)], batch_size=1)
    assert values.item() == 2 * (60 + 8 * 2)  # the learnt numbers cancel each other
