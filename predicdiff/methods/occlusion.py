"""Grey-patch occlusion: how far a prediction falls when a window is covered.

References
----------
M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014,
doi:10.1007/978-3-319-10590-1_53.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..algorithm import explain
from ..explanation import Explanation
from ..protocols import Net, Unit
from ..samplers.grey import GreyPatch, Value
from ..windows import WindowLike
from .method import Method


def occlusion(
    net: Net, image: np.ndarray, *, window: WindowLike = 10, stride: int = 1, value: Value | None = None, **how: Any
) -> Explanation:
    """How far a unit falls when a grey patch covers a window, averaged over the windows on each pixel.

    Parameters
    ----------
    net, image, window, stride
        As for `explain`.
    value : float or one for each channel, optional
        The patch's value, in pixels. By default 127.5 where the net's preprocessing takes pixels of 0 to 255, 0 in a
        hidden blob (``start``); otherwise by the image's values: 0 where it has some below zero, 0.5 where they are 0
        to 1, 127.5 where 0 to 255, else their middle. The result's ``provenance["sampler"]`` says which. One that lies
        far outside of the image's values is warned of.
    **how
        What else `explain` takes: ``blob``, ``units``, ``top``, ``progress``, ... The measure is the plain difference,
        for probabilities too, unless ``measure="evidence"`` is given; at a stride above 1 nothing is interpolated,
        unless ``between="linear"``, ``until`` or ``budget`` is.

    Returns
    -------
    Explanation
        Its standard error is 0. Captum's Occlusion gives the same map where the last window touches the border by
        itself, (side - window) % stride == 0 for both sides; elsewhere Captum's last window is cut off, ours moved in.

    Raises
    ------
    PredicdiffError
        As `explain` does.

    Examples
    --------
    >>> import torch
    >>> import predicdiff as pd
    >>> module = torch.nn.Sequential(torch.nn.AvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(12, 2))
    >>> net = pd.load_net(module, input_shape=(3, 8, 8), preprocessing=pd.Preprocessing(raw_scale=1.0))
    >>> image = np.full((8, 8, 3), 127, np.uint8)
    >>> image[:4, :4] = 255
    >>> result = pd.occlusion(net, image, window=4, stride=4, units=[0])
    >>> result.relevance.shape, bool(abs(result.relevance[0, :4, :4]).min() > abs(result.relevance[0, 4:]).max())
    ((1, 8, 8), True)
    """
    return explain(net, image, GreyPatch(value), window=window, stride=stride, **occluding(how))


def occluding(how: dict[str, Any]) -> dict[str, Any]:
    """`explain`'s settings with those of occlusion in place of what ``how`` leaves open."""
    settings = {**how, "samples": 1}
    if how.get("measure") is None:
        settings["measure"] = "activation"
    if all(how.get(name) is None for name in ("between", "until", "budget")):
        settings["between"] = "none"
    return settings


def _map(net: Net, pixels: np.ndarray, unit: Unit, seed: int, **windows: Any) -> np.ndarray:
    return occlusion(net, pixels, units=[unit], **windows).relevance[0]


METHOD = Method("occlusion", _map, needs=("window", "stride", "blob", "memory"))
