"""Laying one map over another: a panel cut out by hand has another size, a margin, or lost some of its border.

References
----------
D. Padfield, "Masked object registration in the Fourier domain", IEEE TIP 21(5), 2012, doi:10.1109/TIP.2011.2181402.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ..errors import ImageError
from .similarity import pearson, varies

#: How far the scale of either axis may be from what the sizes say, and the centres apart, in units of the map's side.
SCALES = (0.85, 1.15)
SHIFT = 0.1
#: How far apart the centres may be where the panel shows the whole map.
SLACK = 0.02
#: What a place must gain over the one that the sizes say, in Fisher's z for a distance of 1, that of the farthest shift
#: or scale on one axis. Of smooth random maps, which have nothing to do with each other, one in twenty gains more at
#: distances up to 1; of decoded panels of different photographs fewer do.
PENALTY = 0.3
#: The place that the sizes say: two scales and two shifts, as `_placement` takes them.
BORDER = np.array([1.0, 1.0, 0.0, 0.0])
#: Scales tried on each axis before the best is refined.
TRIED = 7
#: Longer side, in pixels, of the maps that the best place is looked for on, and refined on.
COARSE, FINE = 64, 128
#: Part of the map's pixels that the panel must cover.
COVER = 0.5
#: What another place must gain in correlation over the one that the sizes say.
GAIN = 0.002


@dataclass(frozen=True)
class Placement:
    """Where a map's pixels lie in a panel.

    Attributes
    ----------
    scale : (rows, columns) float
        Panel pixels for each of the map's.
    offset : (row, column) float
        Where in the panel the map's top left corner lies, in pixels from the panel's own corner.
    """

    scale: tuple[float, float]
    offset: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def stretched(cls, panel: tuple[int, ...], shape: tuple[int, ...]) -> Placement:
        """That of a map (height, width) stretched over all of a panel (height, width)."""
        return cls((panel[0] / shape[0], panel[1] / shape[1]))

    def take(self, panel: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """The panel at the map's pixels, bilinearly; smoothed before it is shrunk.

        Parameters
        ----------
        panel : (h, w) float array; NaN where nothing is known
        shape : (height, width) of the map

        Returns
        -------
        (height, width) float64 array, NaN outside the panel
        """
        known = np.isfinite(panel)
        total, weight = np.where(known, panel, 0.0), known.astype(np.float64)
        for axis in (0, 1):
            total, weight = (self._along(values, axis, shape[axis]) for values in (total, weight))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(weight >= 0.5, total / weight, np.nan)

    def _along(self, values: np.ndarray, axis: int, size: int) -> np.ndarray:
        step, start, last = self.scale[axis], self.offset[axis], values.shape[axis] - 1
        if step > 1.0:
            from scipy.ndimage import gaussian_filter1d

            values = gaussian_filter1d(values, (step - 1.0) / 2.0, axis=axis, mode="nearest")
        at = (np.arange(size) + 0.5) * step + start - 0.5
        inside = (at >= -0.5) & (at <= last + 0.5)
        at = np.clip(at, 0, last)
        low = np.minimum(at.astype(int), max(last - 1, 0))
        part = np.expand_dims(at - low, 1 - axis)
        lower, upper = values.take(low, axis), values.take(np.minimum(low + 1, last), axis)
        return (lower + part * (upper - lower)) * np.expand_dims(inside, 1 - axis)


def register(panel: np.ndarray, relevance: np.ndarray, *, whole: bool = False) -> tuple[np.ndarray, Placement]:
    """Lay a panel over a map, where their correlation is largest in magnitude.

    In magnitude, so that a panel of the opposite sign is placed as well as one of the same, and neither is favoured.
    Each axis has a scale of its own, from 0.85 to 1.15 times what the sizes say, and the centres may be a tenth of a
    side apart: all that is tried on a small copy by normalised cross-correlation, and the best refined.

    A free choice raises the correlation of maps that have nothing to do with each other too. So a place must earn its
    distance: the panel stays laid border on border unless atanh(correlation) grows by more than 0.3 times the distance,
    which is 1 for the farthest shift or scale on one axis, and the root of the sum of squares where there are several.
    So much is gained by one in twenty pairs of smooth random maps. The correlation itself must grow by 0.002.

    Parameters
    ----------
    panel : (h, w) float array
        Of any size, with a margin or without some of its border; NaN where nothing is known.
    relevance : (H, W) float array
        The map, NaN where nothing is known.
    whole : bool
        The panel shows the whole map and nothing else: its scales are those that the sizes say, and the centres may be
        at most 2 % of a side apart on each axis. Such a shift must earn its distance too.

    Returns
    -------
    (H, W) float64 array
        The panel at the map's pixels, NaN outside it.
    Placement

    Raises
    ------
    ImageError
        If either is no map, or nothing in it is known.
    """
    panel, relevance = _checked(panel, "panel"), _checked(relevance, "map")
    place = (_shifted if whole else _found)(panel, relevance)
    border, best = (_placement(one, panel.shape, relevance.shape) for one in (BORDER, place))
    here, there = (abs(_agreement(one.take(panel, relevance.shape), relevance)) for one in (border, best))
    earned = there > here + GAIN and _fisher(there) > _fisher(here) + PENALTY * float(_distance(*place))
    chosen = best if earned else border
    return chosen.take(panel, relevance.shape), chosen


def _fisher(correlation: np.ndarray | float) -> np.ndarray:
    """Fisher's z of a correlation's magnitude, in which noise is as large near 1 as near 0."""
    return np.arctanh(np.minimum(np.abs(correlation), 1.0 - 1e-9))


def _distance(rows: float, columns: float, down: np.ndarray | float, along: np.ndarray | float) -> np.ndarray:
    """How far a place is from the one that the sizes say; 1 for the farthest scale or shift on one axis."""
    scales = ((rows - 1.0) ** 2 + (columns - 1.0) ** 2) / (SCALES[1] - 1.0) ** 2
    return np.sqrt(scales + (np.square(down) + np.square(along)) / SHIFT**2)


def _found(panel: np.ndarray, relevance: np.ndarray) -> np.ndarray:
    """The best place of all scales and shifts; refined without penalty, which would draw it towards the border."""
    place, sign = _search(*_pair(panel, relevance, COARSE))
    for side in (COARSE, FINE) if sign else ():
        place = _refined(place, sign, *_pair(panel, relevance, side))
    return place


def _shifted(panel: np.ndarray, relevance: np.ndarray) -> np.ndarray:
    """The best place of all small shifts, to a part of a small copy's pixels."""
    panel, relevance = _pair(panel, relevance, COARSE)
    margin = [int(np.ceil(SLACK * size)) + 1 for size in relevance.shape]
    correlations = np.abs(_correlations(_with_margin(panel, BORDER, relevance.shape, margin), relevance))
    inner = correlations[1:-1, 1:-1]
    at = np.array(np.unravel_index(np.argmax(inner), inner.shape)) + 1
    row, column = at
    around = correlations[row - 1 : row + 2, column], correlations[row, column - 1 : column + 2]
    away = (at + [_vertex(*three) for three in around] - margin) / relevance.shape
    return np.concatenate([BORDER[:2], np.clip(away, -SLACK, SLACK)])


def _vertex(before: float, here: float, after: float) -> float:
    """Where the parabola through values at -1, 0 and 1 has its top, from -1/2 to 1/2."""
    bend = 2.0 * here - before - after
    return float(np.clip((after - before) / (2.0 * bend), -0.5, 0.5)) if bend > 0.0 else 0.0


def _checked(values: np.ndarray, name: str) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or values.size == 0:
        raise ImageError(f"a {name} has the shape (height, width), this one {values.shape}.")
    if not np.isfinite(values).any():
        raise ImageError(f"nothing in the {name} of {values.shape[0]} x {values.shape[1]} pixels is a finite number.")
    return np.where(np.isfinite(values), values, np.nan)


def _pair(panel: np.ndarray, relevance: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Copies of both: of the map no larger than ``side``, of the panel no larger than one and a half times that."""
    return _shrunk(panel, side + side // 2), _shrunk(relevance, side)


def _shrunk(values: np.ndarray, side: int) -> np.ndarray:
    factor = min(1.0, side / max(values.shape))
    shape = (max(1, round(values.shape[0] * factor)), max(1, round(values.shape[1] * factor)))
    return Placement.stretched(values.shape, shape).take(values, shape)


def _placement(place: np.ndarray, panel: tuple[int, ...], shape: tuple[int, ...]) -> Placement:
    """The placement with two scales, relative to what the sizes say, and two shifts of the centre, in panel's sides."""
    scale = [place[axis] * panel[axis] / shape[axis] for axis in (0, 1)]
    offset = [panel[axis] * (0.5 + place[2 + axis] - place[axis] / 2) for axis in (0, 1)]
    return Placement((float(scale[0]), float(scale[1])), (float(offset[0]), float(offset[1])))


def _search(panel: np.ndarray, relevance: np.ndarray) -> tuple[np.ndarray, int]:
    """The place of the largest correlation, less what its distance costs, and its sign; 0 where there is none."""
    best, best_place, sign = 0.0, BORDER, 0
    steps = np.linspace(*SCALES, TRIED)
    for rows, columns in product(steps, steps):
        place = np.array([rows, columns, 0.0, 0.0])
        margin = [int(SHIFT * size / scale) for size, scale in zip(relevance.shape, place)]
        correlations = _correlations(_with_margin(panel, place, relevance.shape, margin), relevance)
        down, along = (
            (np.arange(2 * edge + 1) - edge) * scale / size for edge, scale, size in zip(margin, place, relevance.shape)
        )
        worth = _fisher(correlations) - PENALTY * _distance(rows, columns, down[:, None], along)
        row, column = np.unravel_index(np.argmax(worth), worth.shape)
        if worth[row, column] > best:
            best, sign = float(worth[row, column]), int(np.sign(correlations[row, column]))
            best_place = np.array([rows, columns, down[row], along[column]])
    return best_place, sign


def _with_margin(panel: np.ndarray, place: np.ndarray, shape: tuple[int, ...], margin: list[int]) -> np.ndarray:
    """The panel at the map's pixels and ``margin`` more on each side."""
    inner = _placement(place, panel.shape, shape)
    offset = (inner.offset[0] - margin[0] * inner.scale[0], inner.offset[1] - margin[1] * inner.scale[1])
    return Placement(inner.scale, offset).take(panel, (shape[0] + 2 * margin[0], shape[1] + 2 * margin[1]))


def _correlations(panel: np.ndarray, relevance: np.ndarray) -> np.ndarray:
    """Pearson's correlation of a map with each part of the same size of a panel, over what is known of both.

    0 where that is too little or does not vary.
    """
    from scipy.signal import fftconvolve  # SciPy is slow to import, and only a comparison needs these

    a, b = np.isfinite(panel).astype(float), np.isfinite(relevance).astype(float)
    p, r = _standard(panel), _standard(relevance)

    def slide(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return fftconvolve(x, y[::-1, ::-1], mode="valid")

    count = np.maximum(slide(a, b), 1.0)
    p_mean, r_mean = slide(p, b) / count, slide(a, r) / count
    p_var, r_var = slide(p**2, b) / count - p_mean**2, slide(a, r**2) / count - r_mean**2
    usable = (count > COVER * b.sum()) & (p_var > 1e-6) & (r_var > 1e-6)
    spread = np.sqrt(np.where(usable, p_var * r_var, 1.0))
    return np.where(usable, (slide(p, r) / count - p_mean * r_mean) / spread, 0.0)


def _standard(values: np.ndarray) -> np.ndarray:
    """With mean 0 and variance 1, and 0 where nothing is known; constants are zeros."""
    known = np.isfinite(values)
    standard = np.zeros(values.shape)
    if known.any() and varies(values[known]):
        centred = values[known] / np.abs(values[known]).max()
        standard[known] = (centred - centred.mean()) / centred.std()
    return standard


def _refined(place: np.ndarray, sign: int, panel: np.ndarray, relevance: np.ndarray) -> np.ndarray:
    """Downhill from a place to the best one near it."""
    from scipy.optimize import minimize

    low = np.array([SCALES[0], SCALES[0], -SHIFT, -SHIFT])
    high = np.array([SCALES[1], SCALES[1], SHIFT, SHIFT])

    def loss(at: np.ndarray) -> float:
        if (at < low).any() or (at > high).any():
            return 1.0
        return -sign * _agreement(_placement(at, panel.shape, relevance.shape).take(panel, relevance.shape), relevance)

    # each step towards the middle, so that none begins outside
    steps = np.array([0.03, 0.03, 0.01, 0.01]) * np.where(place > (low + high) / 2, -1.0, 1.0)
    corners = np.vstack([place, place + np.diag(steps)])
    options = {"initial_simplex": corners, "xatol": 2e-4, "fatol": 1e-5, "maxfev": 200}
    return minimize(loss, place, method="Nelder-Mead", options=options).x


def _agreement(panel: np.ndarray, relevance: np.ndarray) -> float:
    """Pearson's correlation over what is known of both, 0 where that is too little or does not vary."""
    known = np.isfinite(panel) & np.isfinite(relevance)
    if known.sum() <= COVER * np.isfinite(relevance).sum():
        return 0.0
    return float(np.nan_to_num(pearson(panel[known], relevance[known])))
