"""The Gaussian of a window's contents, given those of its context around it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import SamplerError
from ..windows import Sides
from .streams import FIT, generator
from .triangular import largest_eigenvalue, solved, upper_factor


@dataclass(frozen=True)
class Conditional:
    """How a window's law follows from the values around it, for one place of the window in its context.

    The mean of the window's values is ``mean[inside] + gain @ (values - mean)[outside]``, their covariance
    ``factor @ factor.T``; the same for every block of the covariance.

    Attributes
    ----------
    inside, outside : (W,), (D - W,) int array
        Which of a block's values lie in the window, and which around it.
    gain : (B, W, D - W) float64 array
    factor : (B, W, W) float32 array
        Lower triangular; in single precision to save memory, since it is multiplied with random numbers.
    """

    inside: np.ndarray
    outside: np.ndarray
    gain: np.ndarray
    factor: np.ndarray


def condition(
    covariance: np.ndarray, *, window: Sides, context: Sides, offset: tuple[int, ...], jitter: float
) -> Conditional:
    """Condition a window on the rest of its context.

    The Cholesky factor of the covariance, the window's values put last, holds both answers: where it is cut into
    ``[[A, 0], [B, L]]``, the gain is ``B inv(A)`` and the window's own factor is ``L``. No covariance is subtracted
    from another, so that it stays one however nearly the window is determined. Any number of threads gives the same
    bits.

    Parameters
    ----------
    covariance : (B, D, D) float64 array
        D is a multiple of the number of places in the context; values run over channels, rows, columns.
    window, context : (rows, columns)
    offset : (row, column)
        Of the window in its context.
    jitter : float
        Added to the diagonal.
    """
    mask = np.zeros((covariance.shape[1] // math.prod(context), *context), bool)
    within: Any = (..., *(slice(start, start + length) for start, length in zip(offset, window)))
    mask[within] = True
    inside, outside = np.flatnonzero(mask), np.flatnonzero(~mask)
    order, split = np.concatenate([outside, inside]), len(outside)
    gain = np.empty((len(covariance), len(inside), split))
    factor = np.empty((len(covariance), len(inside), len(inside)), np.float32)
    for block, values in enumerate(covariance):
        upper = _factor(values[np.ix_(order, order)], jitter)
        factor[block] = upper[split:, split:].T
        gain[block] = solved(upper[:split, :split], upper[:split, split:]).T
    return Conditional(inside, outside, gain, factor)


def smallest_jitter(covariance: np.ndarray) -> float:
    """The least to add to the diagonals for full rank: 0, or a power of ten of the mean variance.

    Full rank is as `numpy.linalg.matrix_rank` has it, the smallest eigenvalue above ``D * eps`` times the largest: then
    the Cholesky factor exists in every order of the values. (In one order it may exist by the luck of rounding.)
    Whether an eigenvalue lies above a bound is seen by whether the factor exists with the bound taken off the diagonal,
    and not left to the last bits of eigenvalues, which depend on the number of threads.

    Parameters
    ----------
    covariance : (B, D, D) float64 array
        The same jitter goes to all blocks.

    Returns
    -------
    float
        In squared grey levels.

    Raises
    ------
    SamplerError
        If no jitter up to the mean variance is enough: this is no covariance.
    """
    start: np.ndarray = generator(0, 0, 0, purpose=FIT).standard_normal((covariance.shape[1],))
    most = [largest_eigenvalue(block, start) for block in covariance]
    rounding = covariance.shape[1] * np.finfo(np.float64).eps
    scale = float(np.mean(np.diagonal(covariance, axis1=1, axis2=2))) or 1.0
    for jitter in (0.0, *(10.0**power * scale for power in range(-16, 1))):
        bounds = [rounding * (largest + jitter) - jitter for largest in most]
        if all(upper_factor(_raised(block, -bound)) is not None for block, bound in zip(covariance, bounds)):
            return jitter
    least = np.linalg.eigvalsh(covariance).min()
    raise SamplerError(
        f"the covariance has the eigenvalue {least:.3g} where its mean variance is {scale:.3g}: "
        "want none below zero, rounding apart."
    )


def _factor(covariance: np.ndarray, jitter: float) -> np.ndarray:
    upper = upper_factor(_raised(covariance, jitter))
    if upper is None:
        raise SamplerError(
            f"the covariance is not of full rank, even with jitter {jitter:.3g}: give a larger one, or None to "
            "have the smallest found."
        )
    return upper


def _raised(covariance: np.ndarray, by: float) -> np.ndarray:
    """A copy with so much more on its diagonal."""
    raised = covariance.copy()
    raised[np.diag_indices_from(raised)] += by
    return raised
