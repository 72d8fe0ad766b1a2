"""What else could have stood in a window: samplers and the photographs they are made from."""

from .gaussian import GaussianSampler
from .grey import GreyPatch
from .marginal import MarginalSampler
from .registry import load_sampler

__all__ = ["GaussianSampler", "GreyPatch", "MarginalSampler", "load_sampler"]
