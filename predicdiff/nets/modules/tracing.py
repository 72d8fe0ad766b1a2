"""What torch.fx says a module calls, found on a copy: nothing of it stays on the module, and no hook is handed a proxy.

The copy shares the module's tensors. What is traced is bound to the module's own parts by their names, so that weights
that change afterwards count.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Callable

import torch
from torch import Tensor, fx, nn

from .asking import Ask, alike, sizes
from .hooks import copied, global_hooks, hooked
from .operations import OPERATIONS

#: Held while torch.fx traces, which it does by changing `nn.Module` for the whole process.
_lock = threading.Lock()


class UntraceableError(Exception):
    """Why a module has no graph."""


@dataclass(frozen=True)
class Trace:
    """What a module calls.

    Attributes
    ----------
    graph : torch.fx.Graph
    returned : {submodule: node}
        What each submodule returns, its last call counting.
    constants : {name: value}
        What the graph takes from the module and the module does not have: tensors that its forward makes.
    hooked : set of str
        Submodules with hooks, which are called as they are.
    """

    graph: fx.Graph
    returned: Mapping[str, fx.Node]
    constants: Mapping[str, Any]
    hooked: frozenset[str]


def traced(module: nn.Module, images: Tensor, ask: Ask) -> Trace:
    """Trace a module in evaluation mode, asked so for images like these; an UntraceableError says why it can't be."""
    if hooked(module):
        raise UntraceableError("hooks listen to the whole module")
    if global_hooks():
        raise UntraceableError("hooks listen to all modules")
    try:
        twin = copied(module, {id(tensor): tensor for child in module.modules() for tensor in _tensors(_parts(child))})
    except Exception as error:  # whatever a stranger's module holds
        raise UntraceableError(f"no copy can be made to trace ({type(error).__name__})") from error
    if twin is module:
        raise UntraceableError("no copy can be made to trace (it says that it is its own)")
    tracer, before = _Tracer(module, images, ask), set(vars(twin))
    try:
        with _lock:
            graph = tracer.trace(twin)
    except UntraceableError:
        raise
    except Exception as error:  # whatever a stranger's module does when it is handed proxies
        raise UntraceableError(f"torch.fx cannot trace it ({type(error).__name__})") from error
    read = {str(node.target) for node in graph.nodes if node.op == "get_attr"}
    constants = {name: value for name, value in vars(twin).items() if name in read - before}
    return Trace(graph, tracer.returned, constants, frozenset(tracer.hooked))


def _parts(module: nn.Module) -> list[Any]:
    """All that a module has by itself."""
    return [part for name, part in vars(module).items() if name != "_modules"]


def _tensors(value: Any) -> Iterator[Tensor]:
    """Tensors among plain lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _tensors(each)


class _Tracer(fx.Tracer):
    """Traces a copy of ``module``, in this thread alone, though torch.fx listens to the calls of all."""

    def __init__(self, module: nn.Module, images: Tensor, ask: Ask) -> None:
        super().__init__()
        self.returned: dict[str, fx.Node] = {}
        self.hooked = {name for name, child in module.named_modules(remove_duplicate=False) if hooked(child)}
        self._paths = {child: name for name, child in module.named_modules()}
        self._thread = threading.get_ident()
        self._one = torch.ones(1, 1, device=images.device)
        self._images, self._ask = ask.cast(images), ask
        self._products = self._product()

    def create_args_for_root(
        self, root_fn: Callable[..., Any], is_module: bool, concrete_args: Any = None
    ) -> tuple[Any, list[Any]]:
        """The images as the only input: all else that the module takes is fixed, or stays what it is by default."""
        images = self.create_proxy("placeholder", "images", (), {})
        ask = self._ask
        further, named = ask.mapped(lambda value: self._repeated(value, images))
        given = images if ask.dtype == torch.float32 else images.to(ask.dtype)

        def asked(root: nn.Module) -> Any:
            return ask.picked(root_fn(root, given, *further, **named))

        return asked, [self.root]

    def _repeated(self, value: Tensor, images: fx.Proxy) -> Any:
        """A further input as a constant; for each image, where its first axis is 1."""
        value = alike(value, self._images)
        return self.create_proxy("call_method", "expand", (value, *sizes(value, images.size(0))), {})

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Torch's own modules, those that the table of operations knows, and those with hooks are single calls."""
        known = module_qualified_name in self.hooked or type(m) in OPERATIONS
        return known or bool(super().is_leaf_module(m, module_qualified_name))

    def path_of_module(self, mod: nn.Module) -> str:
        """Of a part of the copy, or of the module itself, which the copy may have a way to."""
        name = self._paths.get(mod)
        return str(super().path_of_module(mod)) if name is None else name

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        if m in self._paths and not self.is_leaf_module(m, self._paths[m]):
            raise UntraceableError(f"its copies call {self._paths[m]} of the module itself")
        result = super().call_module(m, forward, args, kwargs)
        if isinstance(result, fx.Proxy):
            self.returned[self.path_of_module(m)] = result.node
        return result

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """What a part of a module is, as a proxy if it is a weight."""
        mine = threading.get_ident() == self._thread
        return super().getattr(attr, attr_val, parameter_proxy_cache) if mine else attr_val

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        """A call; torch.fx does not note in which precision."""
        if self._product() != self._products:
            raise UntraceableError("it sets torch.autocast by itself")
        return super().create_node(*args, **kwargs)

    def _product(self) -> torch.dtype:
        """In what products are computed at this place."""
        return (self._one @ self._one).dtype
