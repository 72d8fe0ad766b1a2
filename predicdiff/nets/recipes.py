"""How nets are made again in other processes: of a manifest's name or of files that lie there too.

That is little to send, where the weights may be hundreds of megabytes. A recipe goes with one net, as it was loaded: a
copy with other weights or settings has none, and of a net that was changed in its place another comes out, which is
seen by what it says of itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping, MutableMapping
from weakref import WeakKeyDictionary

from ..errors import InputWarning, PredicdiffError, without
from ..protocols import Json, Net
from .base import BlobNet

#: What `load_net` was told of a net: the source, and its settings.
_told: MutableMapping[BlobNet, tuple[str, dict[str, Any]]] = WeakKeyDictionary()
_known: MutableMapping[BlobNet, Recipe] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Recipe:
    """How a net is made, and by what it is known to be the same.

    Attributes
    ----------
    source : str
    settings : dict
        Arguments of `load_net`; paths are absolute.
    provenance : dict
        What the net says of itself, with the hash of its weights.
    computing : dict
        Attributes that say how the net computes.
    """

    source: str
    settings: Mapping[str, Any]
    provenance: Json
    computing: Mapping[str, Any]

    def made(self, load: Callable[..., Net]) -> Net | None:
        """The net, made by `load_net`; None where files are missing or others than they were."""
        try:
            with without(InputWarning):  # what there is to warn of was said when it was made first
                net: Any = load(self.source, **self.settings)
        except (PredicdiffError, OSError):
            return None
        for name, value in self.computing.items():
            setattr(net, name, value)
        return net if net.provenance == self.provenance else None


def remember(net: Net, source: str, settings: Mapping[str, Any]) -> None:
    """Keep what a net was made of, for `recipe_of`."""
    if isinstance(net, BlobNet):
        _told[net] = source, dict(settings)


def forget_recipe(net: Net) -> None:
    """Take a net for one that others cannot make: they lack its files."""
    if isinstance(net, BlobNet):
        _told.pop(net, None)


def recipe_of(net: Net) -> Recipe | None:
    """How a net is made again, the same recipe as long as the net is the same; None where that is not known."""
    if not isinstance(net, BlobNet) or net not in _told:
        return None
    source, settings = _told[net]
    now = (net.provenance, net._settings())
    known = _known.get(net)
    if known is None or (known.provenance, known.computing) != now:
        preprocessing = {} if net.preprocessing is None else {"preprocessing": net.preprocessing}
        known = _known[net] = Recipe(source, {**settings, **preprocessing}, *now)
    return known
