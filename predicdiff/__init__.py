"""predicdiff: which parts of a picture made the network say that.

Prediction difference analysis after L. M. Zintgraf, T. S. Cohen and M. Welling, "A New Method to Visualize Deep Neural
Networks", 2016. The README's tour shows the names below at work.
"""

from __future__ import annotations

from ._version import __version__
from .algorithm import explain
from .checks import check_net, check_sampler
from .comparing.compare import compare
from .errors import PredicdiffError
from .explanation import Explanation
from .images import View, load_image
from .methods.occlusion import occlusion
from .methods.sensitivity import sensitivity
from .methods.univariate import univariate
from .nets.preprocessing import Preprocessing
from .nets.zoo import load_net
from .samplers.corpus import default_corpus
from .samplers.gaussian import GaussianSampler
from .samplers.marginal import MarginalSampler
from .studies.many import explain_many

__all__ = [
    "Explanation",
    "GaussianSampler",
    "MarginalSampler",
    "PredicdiffError",
    "Preprocessing",
    "View",
    "__version__",
    "check_net",
    "check_sampler",
    "compare",
    "default_corpus",
    "explain",
    "explain_many",
    "load_image",
    "load_net",
    "occlusion",
    "sensitivity",
    "univariate",
]


def __dir__() -> list[str]:
    """What completion offers: the public names, not the modules behind them."""
    return list(__all__)
