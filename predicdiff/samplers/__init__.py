"""What else could have stood in a window: samplers and the photographs they are made from."""

from .gaussian import GaussianSampler
from .marginal import MarginalSampler

__all__ = ["GaussianSampler", "MarginalSampler"]
