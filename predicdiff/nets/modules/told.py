"""Functions of torch that tell of a tensor without a look at its values, and those whose shapes depend on values."""

from __future__ import annotations

from typing import Any, Callable

import torch

from .calls import method_name

#: Functions that say what a tensor is, and nothing of its values.
ABOUT = frozenset(
    {
        "__len__", "__hash__", "__deepcopy__", "dim", "element_size", "get_device", "has_names", "is_complex",
        "is_contiguous", "is_floating_point", "is_inference", "is_pinned", "is_same_size", "is_signed", "is_tensor",
        "ndimension", "nelement", "numel", "requires_grad_", "result_type", "size", "storage_offset", "stride", "type",
        "can_cast", "__dir__", "_is_view", "is_conj", "is_neg", "broadcast_shapes", "is_set_to", "is_shared",
        "sym_size",
    }
)  # fmt: skip
#: Properties of a tensor that do, besides those whose names begin with "is_".
PROPERTIES = frozenset(
    {
        "shape", "dtype", "device", "layout", "ndim", "requires_grad", "names", "itemsize", "nbytes", "grad", "grad_fn",
        "output_nr", "retains_grad",
    }
)  # fmt: skip
#: Functions whose result takes its shape of the values of any of their arguments.
SHAPED = frozenset(
    {
        "arange", "range", "linspace", "logspace", "zeros", "ones", "empty", "nonzero", "nonzero_static", "argwhere",
        "masked_select", "bincount",
    }
)  # fmt: skip
#: Functions whose result takes its shape of the values of their arguments behind the first.
SHAPED_BY_OTHERS = frozenset(
    {
        "repeat_interleave", "view", "reshape", "expand", "repeat", "tile", "split", "split_with_sizes", "unflatten",
        "new_zeros", "new_ones", "new_empty", "new_full",
    }
)  # fmt: skip


def is_about(function: Callable[..., Any]) -> bool:
    """Whether a function says what a tensor is, and nothing of its values."""
    if function.__name__ != "__get__":
        return function.__name__ in ABOUT
    name = method_name(function) or ""
    return name in PROPERTIES or name.startswith("is_")


def shaping(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """Those of a call's arguments whose values its result takes its shape of."""
    name = function.__name__
    whole_where = name == "where" and len(args) + len(kwargs) == 1
    if name in SHAPED or "unique" in name or whole_where or (name == "repeat_interleave" and len(args) == 1):
        return [*args, *kwargs.values()]
    if name in SHAPED_BY_OTHERS:
        return [*args[1:], *kwargs.values()]
    if name in ("__getitem__", "getitem"):
        index = args[1] if isinstance(args[1], tuple) else (args[1],)
        return [each for each in index if isinstance(each, (slice, list)) or _is_mask(each)]
    return []


def _is_mask(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype in (torch.bool, torch.uint8)
