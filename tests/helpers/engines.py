"""Nets of layer records on whichever engine this Python has: torch, or Caffe itself."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.places import DATA
from helpers.prototxt import prototxt
from predicdiff.nets.caffe.records import NetSpec

os.environ.setdefault("GLOG_minloglevel", "2")  # Caffe's log, before any test imports it

#: Those that are installed.
ENGINES = [name for name in ("torch", "caffe") if importlib.util.find_spec(name)]

#: For a module whose tests need any of them.
needed = pytest.mark.skipif(not ENGINES, reason="neither torch nor pycaffe is installed")


def tiny_net(**settings: Any) -> Any:
    """The tiny Caffe net of tests/data, on the first engine that is installed."""
    from predicdiff.nets.zoo import load_net

    if not ENGINES:
        pytest.skip("neither torch nor pycaffe is installed")
    data = DATA
    ask = {"weights": data / "tiny_v1.caffemodel", "engine": ENGINES[0], **settings}
    return load_net(data / "tiny_v1.prototxt", **ask)


def net_of(
    spec: NetSpec, weights: Mapping[str, Sequence[np.ndarray]], *, engine: str | None = None, **settings: Any
) -> Any:
    """A net on the CPU, by default on the first engine that is installed."""
    if (engine or ENGINES[0]) == "torch":
        from predicdiff.nets.caffe.torch_net import CaffeTorchNet

        return CaffeTorchNet(spec, weights, **{"device": "cpu", **settings})
    from predicdiff.nets.caffe.pycaffe import CaffeNet

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.prototxt"
        path.write_text(prototxt(spec))
        return CaffeNet(path, weights, **{"device": "cpu", **settings})
