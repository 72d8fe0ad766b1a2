"""What the doors to other libraries have in common."""

from __future__ import annotations

import sys

import pytest
import torch  # noqa: F401

from predicdiff.errors import DependencyError
from predicdiff.nets.zoo import load_net


@pytest.mark.parametrize(
    ("source", "package", "extra"),
    [
        ("timm:resnet18", "timm", "timm"),
        ("torchvision:resnet18", "torchvision", "torchvision"),
        ("hf:microsoft/resnet-18", "transformers", "hf"),
    ],
)
def test_a_library_that_is_not_there_is_named_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, source: str, package: str, extra: str
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    told = rf'^{package} is not installed \(.*\): pip install "predicdiff\[{extra}\]"\.$'
    with pytest.raises(DependencyError, match=told):
        load_net(source)
