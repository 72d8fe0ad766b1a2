"""Conditional sampling: one Gaussian over a window and its context, drawn from given what stands around the window."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np

from ..errors import SamplerError
from ..files import Kind
from ..noise import Limits, Noise, cut_off, drawn
from ..protocols import Json
from ..tones import Tones, check_corpus, check_range, refuse_beyond
from ..validation import DICT, NUMBER, Want, array, check, is_number, is_whole, list_of
from ..windows import Sides, SidesLike, as_asked, contexts, recorded, tiles
from .clipping import CORPUS, check_limits, limits_at, per_pixel, recorded_limits, seen
from .common import as_names, check_gaussian, check_jitter, check_request, fingerprint, numeric
from .conditioning import smallest_jitter
from .fitting import Images, as_list, estimate
from .laws import Laws
from .saved import Parts, SavedSampler
from .streams import normals, threads_beside

#: Values drawn at once, which bounds the memory besides the result (25 bytes each).
CHUNK = 2**20
#: What a file's parts must be; the record of the fit is anybody's.
PARTS = {
    "jitter": NUMBER,
    "clip": Want(
        "two numbers, null or an array",
        lambda clip: clip is None or isinstance(clip, np.ndarray) or (list_of(_is_bound)(clip) and len(clip) == 2),
    ),
    "fitted_on": DICT,
}


class GaussianSampler(SavedSampler):
    """Draws a window's contents from a Gaussian, given the values around it in its context.

    Parameters
    ----------
    mean : (C, l, l) array
        Of patches of l x l pixels, l being the context; its sides may differ.
    covariance : (C l l, C l l) or (C, l l, l l) array
        Values run over channels, rows, columns. One matrix is joint over the colours; a stack has one for each colour,
        which are drawn independently.
    clip : (low, high) or None
        Draws are cut off here. 0..255 suits photographs and is ours, not the paper's; None leaves draws as they are,
        and is what other values than 0..255 want. Two arrays (C, H, W) hold bounds for each pixel and colour of the
        view, and serve images of that size only.
    jitter : float, optional
        Added to the diagonal of the covariance, in squared grey levels. By default the smallest that gives it full
        rank: 0, or a power of ten of the mean variance.
    fitted_on : mapping, optional
        JSON-able, for the record.

    Attributes
    ----------
    context : int or (rows, columns)
        l.
    channels : {"joint", "independent", "authors"}
    notes : list of str
        What a user should know of the fit: jitter, images left out.

    Raises
    ------
    SamplerError
        If the shapes do not belong together, the values are not finite, or this is no covariance.
    SettingsError
        If ``clip`` or ``jitter`` is out of its range.

    References
    ----------
    L. M. Zintgraf, T. S. Cohen, M. Welling, "A New Method to Visualize Deep Neural Networks", 2016, section 3.1.

    Examples
    --------
    >>> import predicdiff as pd
    >>> corpus, _ = pd.default_corpus((3, 32, 32))
    >>> sampler = pd.GaussianSampler.fit(corpus, context=6, patches=2000, seed=0)
    >>> sampler.draw(corpus[0], np.array([[4, 8], [10, 10]]), window=2, samples=5, seed=0).shape
    (2, 5, 3, 2, 2)
    """

    file = Kind("gaussian sampler", 1, "predicdiff fit DIR -o {path}", SamplerError)
    drawn_by_threads = True

    def __init__(
        self,
        mean: np.ndarray,
        covariance: np.ndarray,
        *,
        clip: Limits = (0.0, 255.0),
        jitter: float | None = None,
        fitted_on: Mapping[str, Any] | None = None,
    ) -> None:
        self.mean = numeric(mean, "the mean's values", np.float64)
        self.covariance = numeric(covariance, "the covariance's values", np.float64)
        if self.covariance.ndim == 2:
            self.covariance = self.covariance[None]
        check_gaussian(self.mean, self.covariance)
        self.clip = check_limits(clip, len(self.mean))
        self.jitter = check_jitter(smallest_jitter(self.covariance) if jitter is None else jitter)
        self.fitted_on = dict(fitted_on or {})
        self._laws = Laws(self.mean, self.covariance, self.jitter)
        for values in (self.mean, self.covariance):
            values.flags.writeable = False
        self._fingerprint = fingerprint([self.mean, self.covariance])

    @classmethod
    def fit(
        cls,
        images: Images,
        context: SidesLike,
        *,
        patches: int = 25_000,
        seed: int = 0,
        channels: str = "joint",
        first: int = 0,
        clip: Limits | str = (0.0, 255.0),
        names: Sequence[str] | None = None,
    ) -> GaussianSampler:
        """Take mean and covariance from patches of images, as many of each, at random places.

        Parameters
        ----------
        images : (m, C, H, W) array of pixels, or list of (H, W, 3) RGB images or (C, H, W) pixels
            The list's may differ in size; those smaller than the context are left out, and ``notes`` says so. An array
            whose last axis is 3 long is an RGB image, unless its first one is too and its type is not uint8.
        context : int or (rows, columns)
            Side l of the patches.
        patches : int
            25,000 as in the paper. Far fewer than there are values in a patch leave the covariance without full rank.
        channels : {"joint", "independent", "authors"}
            Joint over the colours as in the paper, or each colour by itself. "authors": so, but with the covariance of
            one colour for all, each around its own mean, as the authors' later code comes to do.
        first : int
            That colour, by its place in ``images``. Theirs is the first of the net's input, which for Caffe's nets is
            blue: 2 of RGB pixels.
        clip : (low, high), "corpus" or None
            "corpus" takes the smallest and the largest value of all images, at each pixel and colour by itself; they
            must be of one shape then. Since a net's encoding rises with each value, to clip pixels so is to clip its
            input to the range of the encoded corpus, as the authors' later code does.
        names : sequence of str, optional
            Where the images come from, for the record.

        Raises
        ------
        SamplerError
            If no image is large enough, or they differ in their channels, hold NaN, or lie outside of ``clip``; for
            "corpus" also if they differ in size.
        SettingsError, WindowError
            If a setting is out of its range.
        """
        images = as_list(images)
        estimated = estimate(images, context, patches=patches, seed=seed, channels=channels, first=first)
        bounds = check_limits(seen(images) if isinstance(clip, str) and clip == CORPUS else clip, len(estimated.mean))
        # of a range without an end nothing says which values look like fractions of it
        if bounds is not None and not per_pixel(bounds) and np.isfinite(np.array(bounds)).all():
            check_range(estimated.low, estimated.high, whose="the images'", **_within(bounds))
        fitted_on: Json = {
            "images": estimated.images,
            "skipped": estimated.skipped,
            "names": as_names(names),
            "patches": int(patches),
            "seed": int(seed),
        }
        if channels == "authors":
            fitted_on.update(channels=channels, first=int(first))
        return cls(estimated.mean, estimated.covariance, clip=bounds, fitted_on=fitted_on)

    def __repr__(self) -> str:
        return (
            f"GaussianSampler(context={self.context}, colours={len(self.mean)}, channels={self.channels!r}, "
            f"clip={recorded_limits(self.clip)}, jitter={self.jitter:.3g})"
        )

    @property
    def context(self) -> int | Sides:
        """Side l of the context, or its sides where they differ."""
        return as_asked(self.mean.shape[1:])

    @property
    def channels(self) -> str:
        """Whether the colours are drawn jointly or independently of each other, and if so whether fitted as theirs."""
        return str(self.fitted_on.get("channels", "joint" if len(self.covariance) == 1 else "independent"))

    @property
    def notes(self) -> list[str]:
        """What a user should know of the fit."""
        notes = []
        if self.jitter:
            notes.append(
                f"The sampler's covariance is not of full rank: {self.jitter:.2g} squared grey levels were added to "
                "its diagonal. More patches, or more varied images, may mend that."
            )
        skipped = self.fitted_on.get("skipped")
        if is_whole(skipped, 1):
            notes.append(
                f"{skipped} image(s) smaller than the sampler's context, {self.context}, were left out of its fit."
            )
        return notes

    @property
    def provenance(self) -> Json:
        """JSON-able: the settings, what it was fitted on, and the SHA-1 of mean and covariance."""
        return {
            "kind": "gaussian",
            "context": recorded(self.mean.shape[1:]),
            "channels": self.channels,
            "clip": recorded_limits(self.clip),
            "jitter": self.jitter,
            **self.fitted_on,
            "fingerprint": self._fingerprint,
        }

    def draw(
        self, pixels: np.ndarray, origins: np.ndarray, *, window: SidesLike, samples: int, seed: int
    ) -> np.ndarray:
        """Contents of windows, drawn given what stands around them.

        Parameters
        ----------
        pixels : (C, H, W) float array
            The explained image. What it holds in a window has no influence on the window's draws.
        origins : (n, 2) int array
            Top-left ``(row, column)`` of each window.
        window : int or (rows, columns)
            k.
        samples, seed : int
            S and 0 <= seed < 2**64. The first draws do not depend on S.

        Returns
        -------
        (n, S, C, h, w) float32 array

        Raises
        ------
        SamplerError
            If the pixels have other channels than the sampler, or values far outside of ``clip``, or another size than
            its arrays.
        WindowError
            If k > l, l is larger than the image, or a window reaches over the border.
        SettingsError
            If S < 1 or the seed is out of range.
        """
        pixels, origins, lengths = check_request(pixels, origins, window=window, samples=samples, seed=seed)
        corners = self._corners(pixels, origins, lengths)
        patches = np.empty((len(origins), samples, len(pixels), *lengths), np.float32)
        size = max(1, CHUNK // patches[:1].size) if len(patches) else 1
        for alike in self._laws.alike(origins - corners):
            law = self._laws.law(lengths, tuple((origins - corners)[alike[0]].tolist()))
            for part in (alike[run] for run in tiles(len(alike), size)):
                normal = normals(seed, origins[part], self._laws.shape(samples, lengths), dtype=np.float64)
                draws = drawn(normal, self._laws.means(pixels, corners[part], law), law.factor)
                limits = limits_at(self.clip, origins[part], lengths)
                patches[part] = cut_off(draws.reshape(len(part), *patches.shape[1:]), limits)
        return patches

    def noise(self, pixels: np.ndarray, origins: np.ndarray, *, window: SidesLike, samples: int, seed: int) -> Noise:
        """What `draw` makes patches of, for nets that make them; they differ from `draw`'s by rounding alone.

        Means are plain products of matrices: how many windows are asked for, and how many threads compute, may change
        their last bits, and with them the last bit of a few patches' values in a million. `draw` rounds as if exact.

        Parameters and errors are those of `draw`. Numbers are drawn on all cores but one: 6,000 for a window took 90
        microseconds on one core, 55 on two.
        """
        pixels, origins, lengths = check_request(pixels, origins, window=window, samples=samples, seed=seed)
        corners = self._corners(pixels, origins, lengths)
        normal = normals(seed, origins, self._laws.shape(samples, lengths), threads=threads_beside())
        return self._laws.noise(pixels, origins, corners, normal, lengths, limits_at(self.clip, origins, lengths))

    def moments(
        self, pixels: np.ndarray, origin: tuple[int, int], *, window: SidesLike
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean (C, h, w) and covariance (C h w, C h w) that a window's draws have before they are clipped."""
        pixels, origins, lengths = check_request(pixels, np.array([origin]), window=window, samples=1, seed=0)
        corners = self._corners(pixels, origins, lengths)
        law = self._laws.law(lengths, tuple((origins - corners)[0].tolist()))
        mean = self._laws.means(pixels, corners, law).values
        factors = law.factor.astype(np.float64)
        size = factors.shape[1]
        covariance = np.zeros((mean.size, mean.size))
        for block, factor in enumerate(factors):
            own = slice(block * size, (block + 1) * size)
            covariance[own, own] = factor @ factor.T
        return mean.reshape(len(pixels), *lengths), covariance

    def among(self, tones: Tones) -> GaussianSampler:
        """Itself; refuses or warns where the images that it was fitted to were of another range than these values."""
        # the mean must be pixels, what is drawn around it may leave 0..255
        around = 0.0 if tones.of == "pixels" else 3 * np.sqrt(self._variances())
        check_corpus(float((self.mean - around).min()), float((self.mean + around).max()), tones)
        return self

    def parts(self) -> Parts:
        """Mean, covariance and bounds, jitter and what it was fitted on."""
        arrays = {"mean": self.mean, "covariance": self.covariance}
        texts = {"jitter": self.jitter, "fitted_on": self.fitted_on}
        if self.clip is not None and per_pixel(self.clip):
            arrays["clip"] = np.stack(self.clip)
        else:
            texts["clip"] = self.clip
        return arrays, texts

    @classmethod
    def from_parts(cls, parts: dict[str, Any]) -> GaussianSampler:
        """The sampler of what `parts` gave."""
        names = ("mean", "covariance", "clip", "jitter", "fitted_on")
        mean, covariance, clip, jitter, fitted_on = (parts[name] for name in names)
        array(mean, "mean", "fiu", (-1, -1, -1))
        array(covariance, "covariance", "fiu", (-1, -1, -1))
        if isinstance(clip, np.ndarray):
            array(clip, "clip", "fiu", (2, len(mean), -1, -1))
        check({"jitter": jitter, "clip": clip, "fitted_on": fitted_on}, PARTS)
        bounds = None if clip is None else (clip[0], clip[1])
        return cls(mean, covariance, clip=bounds, jitter=jitter, fitted_on=fitted_on)

    def _variances(self) -> np.ndarray:
        """Of each value of the context (C, l, l); one colour's covariance may stand for all."""
        diagonals = np.diagonal(self.covariance, axis1=1, axis2=2)
        return diagonals.reshape(-1, *self.mean.shape[-2:])

    def _corners(self, pixels: np.ndarray, origins: np.ndarray, window: Sides) -> np.ndarray:
        if len(pixels) != len(self.mean):
            raise SamplerError(
                f"the pixels have the shape {pixels.shape}, the sampler was fitted on {len(self.mean)} channels: "
                f"want ({len(self.mean)}, height, width), or a sampler fitted on what net.view gives."
            )
        if self.clip is not None and not per_pixel(self.clip):
            refuse_beyond(float(pixels.min()), float(pixels.max()), whose="the pixels'", **_within(self.clip))
        elif self.clip is not None and np.shape(self.clip[0]) != pixels.shape:
            raise SamplerError(
                f"the pixels have the shape {pixels.shape}, the sampler's bounds {np.shape(self.clip[0])}: want the "
                "same, or a sampler that is not clipped pixel by pixel."
            )
        return contexts(origins, pixels.shape[1:], window=window, context=self._laws.context)


def _is_bound(value: Any) -> bool:
    return is_number(value) or value in (-np.inf, np.inf)


def _within(clip: tuple[Any, Any]) -> dict[str, Any]:
    """Arguments of `tones.check_range` and `tones.refuse_beyond` for values that draws are clipped among.

    Not for bounds of each pixel: they are what a corpus happened to hold, and values outside of them are no mistake.
    """
    low, high = float(clip[0]), float(clip[1])
    wanted = (
        f"draws are clipped to {low:g}..{high:g}: give pixels of this range, not a net's input, or fit with clip=None."
    )
    return {"wanted": wanted, "bounds": (low, high), "error": SamplerError}
