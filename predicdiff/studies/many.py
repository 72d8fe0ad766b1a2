"""Many images, one after the other or side by side: each is explained as `explain` would."""

from __future__ import annotations

from contextlib import closing
from dataclasses import fields
from pathlib import Path, PurePath
from typing import Any, Callable, Iterable, Iterator, NamedTuple, Sized

from ..abilities import net_abilities
from ..algorithm import checked_effort
from ..errors import (
    ImageError,
    SettingsError,
    warn,
)  # fmt: skip
from ..executors.spread import (
    worthwhile,
)  # fmt: skip
from ..explanation import Explanation
from ..image_files import check_intensity
from ..protocols import Net, Sampler
from ..settings import Settings
from ..targets import numbers_of
from ..units import check_progress
from ..workers.choice import WorkersLike, chosen
from .one import PLANNING, Item, Wish
from .outcomes import outcomes


class Explained(NamedTuple):
    """What became of an image of many.

    Attributes
    ----------
    number : int
        Its place among them, from 0.
    name : str
        The path as it was given, or "image 3".
    explanation : Explanation or None
    error : str
        One sentence where it could not be explained, else empty.
    """

    number: int
    name: str
    explanation: Explanation | None
    error: str = ""


def explain_many(
    net: Net,
    images: Iterable[Any],
    sampler: Sampler,
    *,
    workers: WorkersLike | None = None,
    memory: int | None = None,
    batch_size: int | None = None,
    intensity: tuple[float, float] | None = None,
    progress: Callable[[float, int | None], object] | None = None,
    **settings: Any,
) -> Iterator[Explained]:
    """Explain one image after the other, with one net and one sampler for all.

    Parameters
    ----------
    net, sampler
        As for `explain`. Nothing takes an explained image out of the sampler's corpus here.
    images : iterable
        Paths, or images as `explain` takes them. Of what gives them one by one no more are taken than are worked on.
    workers : int, "auto" or Workers, optional
        As for `explain`. Workers get an image each or, where images are few or have more than 64 tiles, tiles.
    memory, batch_size : int, optional
        As for `explain`; what each of the workers may take.
    intensity : (low, high), optional
        Black and white in files of greys of more than 8 bits, as for `load_image`.
    progress : callable, optional
        Called with how many images are done, parts of one included, and how many there are, None where that is unknown;
        one call after the other, though by several threads where workers get tiles.
    **settings
        Of `explain`: window, samples, stride, blob, units, until and so on.

    Returns
    -------
    iterator of Explained
        In the order in which they are done, which without workers is that of ``images``. An image that cannot be read
        or explained, also since the net or the sampler raised an error of its own, has an ``error`` in place of an
        explanation.

    Raises
    ------
    SettingsError
        At once, if a setting is unknown or out of its range.
    PredicdiffError
        One of its kinds, when the first images are asked for, if settings do not fit the net: until one was explained,
        an error that is not of an image alone counts for all. Later where tiles cannot be kept, or workers are lost.

    Examples
    --------
    >>> import torch
    >>> import predicdiff as pd
    >>> module = torch.nn.Sequential(torch.nn.AvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(12, 2))
    >>> net = pd.load_net(module, input_shape=(3, 8, 8), preprocessing=pd.Preprocessing(raw_scale=1.0))
    >>> import numpy as np
    >>> corpus = np.random.default_rng(0).uniform(0, 255, (20, 3, 8, 8))
    >>> sampler = pd.MarginalSampler(corpus[5:])
    >>> for one in pd.explain_many(net, corpus[:2], sampler, window=3, samples=4):
    ...     print(one.name, one.explanation.relevance.shape, one.error or "done")
    image 0 (1, 8, 8) done
    image 1 (1, 8, 8) done
    """
    if isinstance(images, (str, bytes, PurePath)) or not isinstance(images, Iterable):
        raise SettingsError(f"images is {images!r}: want several, such as a list of paths or of arrays.")
    unknown = sorted(set(settings) - {field.name for field in fields(Settings)})
    if unknown:
        raise SettingsError(f"{', '.join(unknown)}: explain_many has no such setting. They are those of explain.")
    asked = Settings(**{"window": 10, "samples": 20, "stride": 1, **settings})
    wish = Wish(asked, checked_effort(memory, batch_size), batch_size, check_intensity(intensity))
    check_progress(progress)
    return _explained(net, images, sampler, wish, workers, progress)


def _explained(
    net: Net,
    images: Iterable[Any],
    sampler: Sampler,
    wish: Wish,
    workers: WorkersLike | None,
    progress: Callable[[float, int | None], object] | None,
) -> Iterator[Explained]:
    count = len(images) if isinstance(images, Sized) else None
    with chosen(workers, lambda: worthwhile(net_abilities(net), 2 if count is None else count)) as there, closing(
        outcomes(net, _items(images), sampler, wish, count=count, workers=there, progress=progress)
    ) as found:
        for outcome in found:
            with PLANNING:
                for text, category in outcome.warned:
                    warn(f"{outcome.item.name}: {text}", category)
            yield Explained(outcome.item.number, outcome.item.name, outcome.made, outcome.error)


def _items(images: Iterable[Any]) -> Iterator[Item]:
    for number, image in enumerate(images):
        if isinstance(image, (str, Path)):
            yield Item(number, str(image), image)
        else:
            yield Item(number, f"image {number}", _copied(image))


def _copied(image: Any) -> Any:
    """An image of our own: what gives them may change or close one when the next is asked for, and several are then."""
    try:
        return numbers_of(image).copy()
    except ImageError:  # which is told of in its turn
        return image
