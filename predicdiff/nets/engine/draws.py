"""Patches made where the net computes: a sampler's noise becomes draws there, and draws in pixels a net's input.

The same formulas as `Noise.patches` and `Preprocessing.encode_patches`, which numpy computes on the CPU.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...noise import Noise
from ..preprocessing import Preprocessing

#: Values drawn at once, which bounds the memory besides the numbers and the result.
CHUNK = 2**22


def drawn(noise: Noise, device: torch.device) -> Tensor:
    """Patches (n, S, C, k, k) float32.

    Products are in double precision: so neither a precision set for the net touches them, nor shows after rounding
    with how many others a draw was multiplied.
    """
    normal = torch.from_numpy(noise.normal).to(device)
    means = torch.from_numpy(noise.means).to(device)
    _, samples, blocks, size = normal.shape
    patches = torch.empty(normal.shape, dtype=torch.float32, device=device)
    at_a_time = max(1, CHUNK // (samples * blocks * size))
    for law, factor in enumerate(noise.factors):
        turned = torch.from_numpy(factor).to(device, torch.float64).transpose(1, 2)
        alike = torch.from_numpy(np.flatnonzero(noise.laws == law)).to(device)
        for part in alike.split(at_a_time):
            rows = normal.index_select(0, part).flatten(0, 1).transpose(0, 1).double()
            values = torch.bmm(rows, turned).transpose(0, 1).unflatten(0, (len(part), samples))
            patches.index_copy_(0, part, (values + means.index_select(0, part)[:, None]).float())
    return _limited(patches.view(noise.shape), noise)


def encoded(
    patches: Tensor, origins: np.ndarray, preprocessing: Preprocessing, input_shape: tuple[int, int, int]
) -> Tensor:
    """Patches (n, S, C, k, k) of pixels, which may be overwritten, as the net takes them where they will stand."""
    if preprocessing.channels == "bgr":
        patches = patches.flip(2)
    patches.mul_(float(np.float32(preprocessing.raw_scale / 255.0)))
    mean = preprocessing.mean_of(input_shape)
    if mean is not None:
        patches.sub_(_at(mean, origins, patches))
    scale = torch.tensor(np.asarray(preprocessing.scale, np.float32), device=patches.device)
    return patches.mul_(scale[:, None, None] if scale.dim() else scale)


def _limited(patches: Tensor, noise: Noise) -> Tensor:
    """Draws (n, S, C, k, k), changed in place: cut off."""
    if noise.limits is None:
        return patches
    low, high = (torch.tensor(np.asarray(limit, np.float32), device=patches.device) for limit in noise.limits)
    if low.dim():
        low, high = low[:, None], high[:, None]
    return torch.minimum(torch.maximum(patches, low, out=patches), high, out=patches)


def _at(mean: np.ndarray, origins: np.ndarray, patches: Tensor) -> Tensor:
    """The part of a mean image that stands under each patch (n, 1, C, k, k); means of channels as they are."""
    image = torch.from_numpy(np.ascontiguousarray(mean)).to(patches.device)
    if image.shape[1:] == (1, 1):
        return image
    window = patches.shape[-1]
    rows, columns = torch.from_numpy(np.ascontiguousarray(origins.T)).to(patches.device)
    return image.unfold(1, window, 1).unfold(2, window, 1)[:, rows, columns].movedim(1, 0)[:, None]
