"""Copies of a net whose upper layers have forgotten what they learnt.

References
----------
J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt, B. Kim, "Sanity checks for saliency maps", NeurIPS 2018,
arXiv:1810.03292.
"""

from __future__ import annotations

import zlib
from typing import Callable, cast

import numpy as np

from ..abilities import net_abilities
from ..errors import SettingsError
from ..protocols import HasWeights, Net
from ..units import whole_number

Draw = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def weighted_layers(net: Net) -> list[str]:
    """Names of the layers that have learnt weights, from the input up.

    Raises
    ------
    SettingsError
        If the net is no `protocols.HasWeights`, as all are that `load_net` gives, or has no such layer.
    """
    return list(_with_weights(net).learnt)


def randomised(net: Net, *, layers: int, seed: int = 0, how: str = "permute") -> Net:
    """A copy of a net in which the weights of the topmost layers are random.

    A layer's new weights depend on its name and the seed alone, so that the copy with n + 1 random layers has n of them
    in common with the copy with n.

    Parameters
    ----------
    net : Net
        From `load_net`, or another `protocols.HasWeights`; left as it is.
    layers : int
        How many, of `weighted_layers`, from the top; 0 gives a plain copy.
    seed : int
    how : {"permute", "normal"}
        Shuffle each array of weights, or draw it from a normal distribution of its own mean and standard deviation.

    Raises
    ------
    SettingsError
        If the net is of another kind, or a setting out of its range.
    """
    original = _with_weights(net)
    names = original.learnt
    count, start = whole_number("layers", layers), whole_number("seed", seed)
    if not 0 <= count <= len(names):
        raise SettingsError(f"layers = {count}: want 0 to {len(names)}, the number of layers with weights.")
    if start < 0:
        raise SettingsError(f"seed {start} is out of range: want at least 0.")
    if not isinstance(how, str) or how not in DRAWS:
        raise SettingsError(f"how = {how!r} is unknown: want {' or '.join(DRAWS)}.")
    weights, draw = original.weights, DRAWS[how]
    changed = {}
    for name in names[len(names) - count :]:
        stream = np.random.default_rng([start, zlib.crc32(name.encode())])
        changed[name] = [draw(array, stream) for array in weights[name]]
    return original.with_weights(changed)


def _with_weights(net: Net) -> HasWeights:
    if net_abilities(net).with_weights is None:
        raise SettingsError(f"{type(net).__name__} cannot be randomised: want a net that load_net gives.")
    known = cast(HasWeights, net)
    if not known.learnt:
        raise SettingsError(f"net {net.name!r} has no layer with weights: there is nothing to randomise.")
    return known


def _permuted(values: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    return stream.permutation(values.ravel()).reshape(values.shape)


def _normal(values: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    noise = stream.standard_normal(values.shape, dtype=np.float32)
    return (values.mean(dtype=np.float64) + values.std(dtype=np.float64) * noise).astype(values.dtype)


DRAWS: dict[str, Draw] = {"permute": _permuted, "normal": _normal}
