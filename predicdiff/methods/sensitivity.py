"""Sensitivity maps: how fast a class score changes with each pixel, by one backward pass.

References
----------
K. Simonyan, A. Vedaldi, A. Zisserman, "Deep Inside Convolutional Networks: Visualising Image Classification Models and
Saliency Maps", 2013, arXiv:1312.6034.
"""

from __future__ import annotations

import numpy as np

from .. import consistency
from ..abilities import net_abilities
from ..classes import find_unit, is_probabilities, scores_behind
from ..errors import InputWarning, SettingsError, warn
from ..protocols import Net, Unit, UnitLike
from ..targets import SAY, predicted, score_blob, see
from ..units import read
from .method import Method

REDUCTIONS = ("max_abs", "signed", "times_input")
STARTS = ("one", "activation")


def sensitivity(
    net: Net,
    image: np.ndarray,
    *,
    blob: str | None = None,
    unit: UnitLike | None = None,
    reduce: str = "max_abs",
    start_from: str = "one",
) -> np.ndarray:
    """Gradient of a unit with respect to the net's input, brought down to one value a pixel.

    Parameters
    ----------
    net : Net
    image : (C, H, W) float array, (H, W, 3) array or PIL image
        Pixels as ``net.view`` gives them, or an RGB image, of which the net's view is taken.
    blob : str, optional
        By default the scores before the softmax; where the net names none, its probabilities, with a warning.
    unit : int, (channel, row, column) or a class's name, optional
        By default the predicted class.
    reduce : {"max_abs", "signed", "times_input"}
        Over the colours: the largest absolute value (Simonyan et al.), the sum, or the sum of gradient times input, the
        input being what the net eats (``net.encode(pixels)``, its mean removed).
    start_from : {"one", "activation"}
        What the backward pass starts from. The unit's activation, as in the authors' later code, makes it the gradient
        of half its square: the map times a number, negative where the unit is below zero.

    Returns
    -------
    (H, W) float64 array
        In the blob's units per unit of the net's input, for "times_input" in the blob's units; not negative for
        "max_abs". With ``start_from="activation"`` all that times the activation (its magnitude for "max_abs"). The
        order of the input's colours does not matter.

    Raises
    ------
    PredicdiffError
        One of its kinds, if the image, the blob or the unit does not fit the net.

    Examples
    --------
    >>> import torch
    >>> import predicdiff as pd
    >>> module = torch.nn.Sequential(torch.nn.AvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(12, 2))
    >>> net = pd.load_net(module, input_shape=(3, 8, 8), preprocessing=pd.Preprocessing(raw_scale=1.0))
    >>> image = np.full((8, 8, 3), 127, np.uint8)
    >>> values = pd.sensitivity(net, image, unit=0)
    >>> values.shape, bool((values[:4, :4] == values[0, 0]).all())  # a mean over 4 x 4 pixels counts each alike
    ((8, 8), True)
    """
    if reduce not in REDUCTIONS:
        raise SettingsError(f"reduce = {reduce!r} is unknown: want one of {', '.join(REDUCTIONS)}.")
    if start_from not in STARTS:
        raise SettingsError(f"start_from = {start_from!r} is unknown: want one of {', '.join(STARTS)}.")
    pixels, _, _ = see(net, net_abilities(net), image)
    inputs = net.encode(pixels)
    blob, index = source(net, pixels, blob, unit)
    gap = consistency.varies(net, inputs[None], blob)
    if gap:
        warn(
            f"{consistency.drawing(net.name, blob, gap)}, and the map is another each time: turn it off.", InputWarning
        )
    gradient = np.asarray(net.gradient(inputs, blob=blob, unit=index), np.float64)
    if is_probabilities(net, blob) and not gradient.any():
        message = (
            f"the gradient of {blob!r} is zero everywhere: the net is too sure. Take its scores before the softmax."
        )
        warn(message, InputWarning)
    if not np.isfinite(gradient).all():
        warn(f"the gradient of {blob!r} is NaN or infinite in places: the map has no value there.", InputWarning)
    if start_from == "activation":
        gradient = gradient * read(net.forward(inputs[None], [blob])[blob], [index])[0, 0]
    return _reduced(gradient, inputs, reduce)


def source(net: Net, pixels: np.ndarray, blob: str | None, unit: UnitLike | None) -> tuple[str, Unit]:
    """The blob and the unit whose gradient `sensitivity` takes, by default as there."""
    blob = blob or _scores(net)
    return blob, predicted(net, pixels, blob) if unit is None else find_unit(net, blob, unit)


def _reduced(gradient: np.ndarray, inputs: np.ndarray, reduce: str) -> np.ndarray:
    """One value (H, W) for each pixel of a gradient (C, H, W)."""
    if reduce == "max_abs":
        return np.abs(gradient).max(axis=0)
    return (gradient if reduce == "signed" else gradient * inputs).sum(axis=0)


def _scores(net: Net) -> str:
    blob = score_blob(net)
    if blob is None:
        raise SettingsError(
            f"net {net.name!r} names neither scores nor probabilities: say which blob and unit to take (--blob, "
            f"--unit), or {SAY}."
        )
    if blob != net.scores:
        message = f"net {net.name!r} names no scores before the softmax: the gradient is that of its output {blob!r}."
        warn(message, InputWarning)
    return blob


def _map(net: Net, pixels: np.ndarray, unit: Unit, seed: int, *, blob: str | None = None) -> np.ndarray:
    """The map of the scores, of which probabilities ``blob`` are made."""
    return sensitivity(net, pixels, blob=None if blob is None else scores_behind(net, blob) or blob, unit=unit)


METHOD = Method("sensitivity", _map, needs=("blob",))
