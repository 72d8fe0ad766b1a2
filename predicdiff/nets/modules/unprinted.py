"""A trial of a module that may fail, without the traceback that torch.fx prints of a `GraphModule`'s failures."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Callable, ContextManager, Mapping

from torch import fx, nn
from torch.overrides import TorchFunctionMode


class Unprinted(BaseException):
    """What a function of torch raised; no Exception, lest `GraphModule` print it."""


class _Errors(TorchFunctionMode):
    """Raises what torch's functions raise as an `Unprinted`."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return func(*args, **(kwargs or {}))
        except Exception as error:
            raise Unprinted from error


def unprinted(module: nn.Module) -> ContextManager[Any]:
    """A context for calls of a module; with a `GraphModule` in it torch's errors are raised as `Unprinted`."""
    traced = any(isinstance(child, fx.GraphModule) for child in module.modules())
    return _Errors() if traced else nullcontext()
