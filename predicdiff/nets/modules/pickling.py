"""Whether a module can be pickled, said of the net in a sentence."""

from __future__ import annotations

import io
import pickle
import sys
from typing import Any

from torch import Tensor, nn

from ...errors import first_line

#: Packages that pickle more than Python does, such as classes of a notebook.
ABLER = ("cloudpickle", "joblib.externals.cloudpickle", "dill")


class _Structure(pickle.Pickler):
    """Pickles all but tensors, which can be."""

    def persistent_id(self, value: Any) -> str | None:
        return "tensor" if isinstance(value, Tensor) else None


def check_pickles(module: nn.Module, name: str) -> None:
    """Refuse to pickle a net whose module can't be, unless an abler package may be at work, which then says so itself.

    Raises
    ------
    pickle.PicklingError
    """
    if any(package in sys.modules for package in ABLER):
        return
    try:
        _Structure(io.BytesIO()).dump(module)
    except Exception as error:  # whatever a stranger's module raises
        raise pickle.PicklingError(
            f"net {name!r} cannot be pickled, since its module cannot ({first_line(error)}): want its classes, "
            "functions and hooks at the top level of a file that can be imported; or load the net in each process."
        ) from error
