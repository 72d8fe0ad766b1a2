"""Samplers of hidden activations: what else a net's blob could have held, from a corpus passed through the net."""

from __future__ import annotations

from dataclasses import replace
from typing import Sequence

import numpy as np

from ..abilities import net_abilities
from ..errors import SamplerError
from ..protocols import Net
from ..scratch import blocks, stacked
from ..tones import check_pixels
from ..units import as_map, lookup
from ..windows import Sides, SidesLike, sides
from .registry import Recipe, SamplerKind, find
from .saved import SavedSampler

#: Fewer patches than this for each dimension and a covariance says more of chance than of the blob.
PER_DIMENSION = 10


def activations_of(net: Net, images: np.ndarray, start: str) -> np.ndarray:
    """Activations (m, C, H, W) of blob ``start`` for pixels (m, ...); a vector's are (m, C, 1, 1).

    Each is computed by one thread where the net allows it, so that a sampler of them is the same for any number.
    """
    shape = as_map(lookup(net.blobs, start))

    def passed() -> np.ndarray:
        every = (image for block in blocks(np.asarray(images)) for image in block)
        activations = (net.forward(net.encode(image)[None], [start])[start].reshape(shape) for image in every)
        return stacked(activations, f"activations of blob {start!r}")

    return net_abilities(net).by_one_thread(passed)


def hidden_marginal(net: Net, images: np.ndarray, start: str, *, names: Sequence[str] | None = None) -> SavedSampler:
    """What other images excite in a window of blob ``start``, all channels together.

    Parameters
    ----------
    images : (m, C, H, W) array
        A corpus in pixels.
    """
    return hidden_sampler(net, images, start, find("marginal"), Recipe(names=names))


def hidden_gaussian(
    net: Net,
    images: np.ndarray,
    start: str,
    context: SidesLike,
    *,
    patches: int = 25_000,
    seed: int = 0,
    names: Sequence[str] | None = None,
) -> SavedSampler:
    """A Gaussian over a context of units of blob ``start`` and all its channels, not clipped.

    Raises
    ------
    SamplerError
        If the corpus has fewer than ten different patches for each of the Gaussian's dimensions.
    """
    recipe = Recipe(context, patches=patches, seed=seed, names=names)
    return hidden_sampler(net, images, start, find("conditional"), recipe)


def hidden_sampler(net: Net, images: np.ndarray, start: str, kind: SamplerKind, recipe: Recipe) -> SavedSampler:
    """A sampler of any kind for blob ``start``, not clipped; errors as for `hidden_gaussian`.

    An ImageError, or a warning, where the net has preprocessing and the corpus is no pixels of 0 to 255.
    """
    if kind.takes_corpus and net_abilities(net).preprocessing is not None:
        check_pixels(np.asarray(images), "the corpus'")
    values = activations_of(net, images, start) if kind.takes_corpus else images
    if kind.takes_context and recipe.context is not None:
        _check_patches(values, start, sides(recipe.context, what="context l"), recipe.patches)
    return kind.make(values, replace(recipe, clip=None))


def _check_patches(values: np.ndarray, start: str, context: Sides, patches: int) -> None:
    """Refuse to fit a Gaussian to fewer patches of activations (m, C, H, W) than say anything of them."""
    count, channels, height, width = values.shape
    rows, columns = context
    dimensions = channels * rows * columns
    there = count * max(0, height - rows + 1) * max(0, width - columns + 1)
    if min(there, patches) < PER_DIMENSION * dimensions:
        raise SamplerError(
            f"a Gaussian over {channels} x {rows} x {columns} units of blob {start!r} has {dimensions} dimensions, "
            f"and there are {min(there, patches)} patches to fit it to: want {PER_DIMENSION * dimensions}. "
            "Use the marginal sampler, a smaller context or more images."
        )
