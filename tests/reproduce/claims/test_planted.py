"""Each measure on windows in which its claim is planted, or its opposite: with null and statistic swapped it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from helpers.claims import SlopedNet, study
from helpers.oracle_nets import photo
from scipy.ndimage import gaussian_filter

SHAPE = (3, 32, 32)
#: What a stand-in for windows is asked: the kind of draws, k, the half, the stream, the net's variant, the rest.
Worth = Callable[..., np.ndarray]


@pytest.fixture
def planted(module: Callable[[str], Any], tmp_path: Path) -> Callable[..., Any]:
    """The first of two photographs, of which windows at (n, 2) origins are worth what a function says."""
    studies, maps = module("claims.study"), module("claims.maps")

    class Planted(studies.Subject):  # type: ignore[misc, name-defined]
        def windows(self, kind: str = "conditional", window: int = 10, **how: Any) -> Any:
            stride = how.get("stride", 1)
            origins = maps.middle(SHAPE[-2:], how["side"], window=window, stride=stride)
            asked = {"half": None, "stream": 0, "blob": None, **how, "variant": self.variant}
            worth = self.study.worth(kind, window, origins, **asked)
            values = np.asarray(worth, np.float64).reshape(len(origins), -1)
            return maps.Windows(origins, values, np.full_like(values, np.nan), np.zeros(1), window)

        @property
        def another(self) -> Any:
            return Planted(self.study, 1 - self.number, self.net)

        def before(self, net: Any, variant: str) -> Any:
            return Planted(self.study, self.number, net, variant)

    def planted(worth: Worth, weights: np.ndarray | None = None) -> Any:
        rough = np.random.default_rng(9).normal(size=(4, *SHAPE)) if weights is None else weights
        made = study(studies, SlopedNet(rough), tmp_path)
        made.worth = worth
        return Planted(made, 0, made.net)

    return planted


def size_of(module: Callable[[str], Any], **how: int) -> Any:
    return module("claims.line").Size(1, **{"side": 32, **how})


def noise(*keys: int | None, count: int) -> np.ndarray:
    """Another for other keys."""
    return np.random.default_rng([0 if key is None else 1 + key for key in keys]).normal(size=count)


@pytest.mark.parametrize("sharper", ["conditional", "marginal"])
def test_a_the_sharper_kind_of_maps_has_more_energy_at_high_frequencies(
    module: Callable[[str], Any], planted: Any, sharper: str
) -> None:
    field = np.random.default_rng(0).normal(size=SHAPE[-2:])

    def worth(kind: str, window: int, origins: np.ndarray, **_: Any) -> np.ndarray:
        return gaussian_filter(field, 0.5 if kind == sharper else 6)[tuple(origins.T)]

    found = module("claims.sharpness").measure(planted(worth), size_of(module))["a"]
    above = found.statistic - found.nulls["marginal"]
    assert (above > 0.02) == (sharper == "conditional")
    assert abs(above) > 0.02


@pytest.mark.parametrize("of_own", [True, False])
def test_b_weight_taken_from_what_is_predicted_is_told_by_the_photographs_own_residual_alone(
    module: Callable[[str], Any], planted: Any, of_own: bool
) -> None:
    surroundings, made = module("claims.surroundings"), {}

    def worth(kind: str, window: int, origins: np.ndarray, **_: Any) -> np.ndarray:
        return np.ones(len(origins)) if kind == "marginal" else made["root"]

    subject = planted(worth)
    at = module("claims.maps").Windows(
        module("claims.maps").middle(SHAPE[-2:], 32, window=10, stride=1), *[np.zeros(0)] * 3, 10
    )
    made["root"] = surroundings.residual(subject if of_own else subject.another, at) ** 4
    found = surroundings.measure(subject, size_of(module))["b"]
    own, others = found.statistic, found.nulls["another photograph's residual"]
    assert (own > others + 0.5) == of_own
    assert (others > own + 0.5) == (not of_own)
    assert abs(found.nulls["residual shifted round"]) < max(own, others) / 2


def test_d_each_kind_of_draws_has_its_own_sums(module: Callable[[str], Any], planted: Any) -> None:
    single = np.random.default_rng(0).normal(size=SHAPE[-2:])

    def worth(kind: str, window: int, origins: np.ndarray, **_: Any) -> np.ndarray:
        if window == 1:
            return single[tuple(origins.T)]
        if kind == "marginal":
            return noise(window, count=len(origins))  # anything else than sums
        corner = module("claims.maps").middle(SHAPE[-2:], 32, window=1, stride=1)[0]
        return np.array([single[r : r + window, c : c + window].sum() for r, c in origins - corner])

    found = module("claims.patches").measure(planted(worth), size_of(module, stride=4))
    assert found["d2"].statistic == pytest.approx(1)
    assert abs(found["d1"].statistic) < 0.5
    assert found["d1"].nulls == {"a linear net": 1.0}
    # a net that is linear, before pixels that tell nothing of each other
    assert found["d2"].nulls["the net's own linearisation"] == pytest.approx(1, abs=0.2)


def test_e_the_nets_own_map_is_held_against_each_null(
    module: Callable[[str], Any], planted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    outlines, picture = module("claims.outlines"), photo(SHAPE, 1)  # as the study's first photograph
    edges = outlines.edges(picture)

    def worth(kind: str, window: int, origins: np.ndarray, variant: str, **_: Any) -> np.ndarray:
        strongest = edges[tuple(origins.T)]
        return 1 / (1 + strongest) if variant == "random" else strongest

    slopes = np.tile(1 / (1 + edges), (4, 3, 1, 1))
    # what a net at random says is planted too, so that it may be the same net
    monkeypatch.setattr(outlines, "shuffled", lambda subject: subject.net)
    found = outlines.measure(planted(worth, slopes), size_of(module))["e"]
    best = 1 - 0.05 / 2
    assert found.statistic == pytest.approx(best, abs=0.01)
    assert found.nulls["random weights"] == pytest.approx(1 - best, abs=0.01)
    assert found.nulls["sensitivity map"] == pytest.approx(1 - best, abs=0.01)
    assert found.nulls["shifted maps"] == pytest.approx(0.5, abs=0.1)
    assert 0.1 < found.nulls["residual alone"] < 0.9


@pytest.fixture
def of_classes(module: Callable[[str], Any], planted: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Claim f of a photograph of which classes 1 to 3 are likely, and 1 and 2 near each other.

    The four classes' maps are given as (4, H, W) arrays, one before the softmax and one behind it.
    """
    classes = module("claims.classes")
    monkeypatch.setattr(classes, "ILSVRC", 4)
    monkeypatch.setattr(classes, "near", lambda one, other: {one, other} <= {1, 2})
    monkeypatch.setattr(classes, "probabilities", lambda subject: np.array([1e-5, 0.5, 0.3, 0.1]))

    def of_classes(scores: np.ndarray, bits: np.ndarray) -> Any:
        def worth(kind: str, window: int, origins: np.ndarray, **asked: Any) -> np.ndarray:
            maps = bits if asked["blob"] is None else scores
            drawn = maps[list(asked["units"])][:, origins[:, 0], origins[:, 1]]
            return (drawn + 0.3 * noise(asked["half"], len(maps), count=drawn.shape[1])).T

        return classes.measure(planted(worth), size_of(module, stride=1))

    return of_classes


def test_f_near_classes_are_held_against_random_ones_and_scores_against_probabilities(of_classes: Any) -> None:
    one, other, third = np.random.default_rng(0).normal(size=(3, *SHAPE[-2:]))
    near_alike, near_unlike = np.stack([other, one, one, third]), np.stack([one, one, third, other])
    found = of_classes(near_alike, near_unlike)
    assert found["f1"].statistic == found["f2"].statistic == pytest.approx(1, abs=0.1)
    # 529 windows: chance leaves correlations of 0.04
    assert found["f1"].nulls["random classes"] == pytest.approx(0, abs=0.2)
    assert found["f2"].nulls["the same of probabilities"] == pytest.approx(0, abs=0.2)
    swapped = of_classes(near_unlike, near_alike)
    assert swapped["f1"].statistic < swapped["f1"].nulls["random classes"] - 0.2
    assert swapped["f2"].statistic < swapped["f2"].nulls["the same of probabilities"] - 0.5


def test_f_random_classes_are_others_for_each_photograph(module: Callable[[str], Any], planted: Any) -> None:
    classes, subject = module("claims.classes"), planted(np.zeros)
    drawn = [classes.strangers(one, np.full(1000, 1e-3)) for one in (subject, subject.another)]
    assert drawn[0] != drawn[1]
    assert drawn[0] == classes.strangers(subject, np.full(1000, 1e-3))


def test_h_few_draws_are_held_against_others_as_many_as_they_are(module: Callable[[str], Any], planted: Any) -> None:
    # the truth and each stream's noise, of mean 0 and uncorrelated to the bit, so that correlations are known exactly
    made = np.random.default_rng(0).normal(size=(17 * 17, 4))
    truth, *by_stream = np.linalg.qr(np.column_stack([np.ones(17 * 17), made]))[0].T[1:]

    def worth(kind: str, window: int, origins: np.ndarray, draws: int, stream: int, **_: Any) -> np.ndarray:
        # a draw's noise is as large as the truth; a stream begins with the same draws however many are asked
        return truth + by_stream[stream] / np.sqrt(draws) if window == 1 else noise(stream, count=len(origins))

    found = module("claims.draws").measure(planted(worth), size_of(module, draws=200))["h2"]
    for draws, correlation in ((5, found.beside["S = 5"]), (10, found.beside["S = 10"]), (20, found.statistic)):
        assert correlation == pytest.approx(1 / np.sqrt(1 + 1 / draws), rel=1e-9)
