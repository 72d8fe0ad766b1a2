"""Univariate weight of evidence, against explicit loops, closed forms and likelihood ratios."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predicdiff.errors import SettingsError
from predicdiff.methods.univariate import univariate


class Counted:
    """Probabilities of three classes from any row of numbers or words; counts its rows."""

    def __init__(self) -> None:
        self.rows = 0

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        self.rows += len(rows)
        scores = []
        for row in rows:
            numbers = [float(len(v)) if isinstance(v, str) else float(v) for v in row]
            total = sum((i + 1) * v for i, v in enumerate(numbers)) + numbers[0] * numbers[-1]
            scores.append([math.sin(total), math.cos(2 * total), 0.3 * math.sin(3 * total)])
        powers = np.exp(scores)
        return powers / powers.sum(axis=1, keepdims=True)


def bits(p: float, n: int, k: int) -> float:
    corrected = (p * n + 1) / (n + k)
    return math.log2(corrected / (1 - corrected))


def loops(predict: Any, x: Any, background: Any, instances: int, values: Any = None) -> np.ndarray:
    """Every feature replaced by its value in every instance of the background, one at a time."""
    x = list(x)
    base = predict(np.array([x], dtype=object))[0]
    evidence = np.empty((len(x), len(base)))
    for feature in range(len(x)):
        taken = [row[feature] for row in background] if values is None else values[feature]
        total = [0.0] * len(base)
        for value in taken:
            changed = list(x)
            changed[feature] = value
            p = predict(np.array([changed], dtype=object))[0]
            total = [t + float(q) for t, q in zip(total, p)]
        for c in range(len(base)):
            means = [base[c], total[c] / len(taken)]
            kept, gone = (bits(p, instances, len(base)) for p in means)
            evidence[feature, c] = kept - gone
    return evidence


@pytest.mark.parametrize("nominal", [(), (0, 1, 2)])
@pytest.mark.parametrize("instances", [None, 50_000])
def test_few_values_are_taken_one_by_one(nominal: tuple[int, ...], instances: Any) -> None:
    background = np.random.default_rng(0).integers(0, 4, (30, 3))
    x = np.array([1, 3, 9])  # 9 is in no other instance
    evidence = univariate(Counted(), x, background, nominal=nominal, instances=instances)
    np.testing.assert_allclose(evidence, loops(Counted(), x, background, instances or 30), rtol=1e-9, atol=1e-12)


def test_words_and_numbers_together() -> None:
    background = np.array([["red", 1.5, "a"], ["green", 2.5, "bbb"], ["red", 0.5, "a"], ["blue", 1.0, "a"]], object)
    x = np.array(["green", 1.5, "a"], object)
    evidence = univariate(Counted(), x, background, nominal=[0, 2])
    np.testing.assert_allclose(evidence, loops(Counted(), x, background, 4), rtol=1e-9)


def test_words_alone_may_be_longer_than_those_of_the_instance() -> None:
    background = np.array([["a", "bb"], ["cccccc", "d"]])
    evidence = univariate(Counted(), np.array(["a", "b"]), background, nominal=[0, 1])
    np.testing.assert_allclose(evidence, loops(Counted(), ["a", "b"], background, 2), rtol=1e-9)


@pytest.mark.parametrize("bins", [1, 3, 7])
def test_many_numbers_by_the_medians_of_equal_groups(bins: int) -> None:
    background = np.random.default_rng(1).normal(size=(21, 2))
    x = np.array([0.3, -0.2])
    values = []
    for feature in range(2):
        ascending = sorted(background[:, feature].tolist())
        values.append([statistics.median(ascending[i : i + 21 // bins]) for i in range(0, 21, 21 // bins)])
    evidence = univariate(Counted(), x, background, bins=bins)
    np.testing.assert_allclose(evidence, loops(Counted(), x, background, 21, values), rtol=1e-9)


def test_groups_of_unequal_size_count_by_their_size() -> None:
    """Seven instances in three groups: three, two and two."""
    background = np.array([[0.0], [1.0], [5.0], [6.0], [8.0], [20.0], [21.0]])
    wanted = loops(Counted(), [2.0], background, 7, [[1.0] * 3 + [7.0] * 2 + [20.5] * 2])
    np.testing.assert_allclose(univariate(Counted(), np.array([2.0]), background, bins=3), wanted, rtol=1e-9)


def test_a_nominal_feature_is_not_cut_into_groups() -> None:
    background = np.arange(40).reshape(40, 1) / 7
    evidence = univariate(Counted(), np.array([2.0]), background, nominal=[0], bins=5)
    np.testing.assert_allclose(evidence, loops(Counted(), [2.0], background, 40), rtol=1e-9)


def test_equal_values_are_evaluated_once_and_nothing_is_changed() -> None:
    predict, background, x = Counted(), np.array([[1, 0], [1, 1], [2, 0], [1, 0]] * 25), np.array([1, 0])
    before = background.copy(), x.copy()
    univariate(predict, x, background)
    assert predict.rows == 1 + 2 + 2
    np.testing.assert_array_equal(background, before[0])
    np.testing.assert_array_equal(x, before[1])


def test_whole_numbers_take_a_median_between_them() -> None:
    seen = []

    def predict(rows: np.ndarray) -> np.ndarray:
        seen.append(rows)
        return np.full((len(rows), 2), 0.5)

    univariate(predict, np.array([1]), np.array([[0], [1], [2], [3]]), bins=2)
    assert seen[1].ravel().tolist() == [0.5, 2.5]


@given(st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=20), st.integers(0, 2), st.floats(0.05, 0.95))
def test_a_feature_that_is_not_read_has_no_weight(column: list[int], value: int, p: float) -> None:
    background = np.column_stack([column, column])
    evidence = univariate(lambda rows: np.tile([p, 1 - p], (len(rows), 1)), np.array([value, value]), background)
    np.testing.assert_allclose(evidence, 0, atol=1e-9)


def test_naive_bayes_with_one_telling_nominal_feature_is_the_likelihood_ratio() -> None:
    """p(y | x without A) is then p(y), and the evidence log2 of p(a | y) / p(a | not y), as Good defined it."""
    likelihood = {0: [0.5, 0.3, 0.2], 1: [0.1, 0.6, 0.3]}  # p(a | y), the other feature is a coin for both
    prior = 0.4
    background = []
    for y, share in ((1, 40), (0, 60)):
        for a in range(3):
            background += [[a, coin] for coin in (0, 1) for _ in range(round(share * likelihood[y][a] * 10 / 2))]

    def predict(rows: np.ndarray) -> np.ndarray:
        joint = [[(1 - prior) * likelihood[0][int(a)] * 0.5, prior * likelihood[1][int(a)] * 0.5] for a, _ in rows]
        return np.array(joint) / np.sum(joint, axis=1, keepdims=True)

    for a in range(3):
        evidence = univariate(predict, np.array([a, 1]), np.array(background), nominal=[0, 1], instances=10**12)
        ratio = math.log2(likelihood[1][a] / likelihood[0][a])
        np.testing.assert_allclose(evidence[0], [-ratio, ratio], rtol=1e-6)
        np.testing.assert_allclose(evidence[1], 0, atol=1e-6)


def test_naive_bayes_with_a_normal_feature_is_the_likelihood_ratio() -> None:
    """Classes N(-1, 1) and N(1, 1), as likely: log2 of the ratio at a is 2 a / ln 2. Fine bins come close to it."""
    normal = statistics.NormalDist()
    quantiles = [(i + 0.5) / 2000 for i in range(2000)]
    background = np.array([[mean + normal.inv_cdf(q)] for q in quantiles for mean in (-1, 1)])

    def predict(rows: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-2 * rows[:, 0]))
        return np.column_stack([1 - p, p])

    for a in (-2.0, 0.0, 0.7, 3.0):
        evidence = univariate(predict, np.array([a]), background, bins=200, instances=10**12)
        np.testing.assert_allclose(evidence[0], [-2 * a / math.log(2), 2 * a / math.log(2)], atol=1e-3)


def test_a_classifier_of_scikit_learn() -> None:
    naive_bayes = pytest.importorskip("sklearn.naive_bayes")
    random = np.random.default_rng(3)
    y = random.integers(0, 3, 60)
    instances = random.normal(size=(60, 4)) + y[:, None]
    model = naive_bayes.GaussianNB().fit(instances, y)
    evidence = univariate(model.predict_proba, instances[7], instances, bins=60)
    assert evidence.shape == (4, 3)
    wanted = loops(lambda rows: model.predict_proba(rows.astype(float)), instances[7], instances, 60)
    np.testing.assert_allclose(evidence, wanted, rtol=1e-9)

    words = random.integers(0, 4, (60, 3))
    nominal = naive_bayes.CategoricalNB().fit(words, y)
    evidence = univariate(nominal.predict_proba, words[5], words, nominal=[0, 1, 2])
    np.testing.assert_allclose(
        evidence, loops(lambda rows: nominal.predict_proba(rows.astype(int)), words[5], words, 60), rtol=1e-9
    )


def half(rows: np.ndarray) -> np.ndarray:
    return np.full((len(rows), 2), 0.5)


@pytest.mark.parametrize(
    ("x", "background", "settings", "message"),
    [
        (np.zeros((1, 2)), np.zeros((3, 2)), {}, r"x has the shape \(1, 2\), the background \(3, 2\)"),
        (np.zeros(2), np.zeros((3, 4)), {}, r"want \(d,\) and \(m, d\)"),
        (np.zeros(2), np.zeros((0, 2)), {}, r"\(0, 2\): want .* m >= 1"),
        (np.zeros(2), np.zeros((3, 2)), {"bins": 0}, "bins = 0: want at least 1"),
        (np.zeros(2), np.zeros((3, 2)), {"nominal": [2]}, "nominal feature 2 is out of range: want indices 0 to 1"),
        (np.zeros(2), np.zeros((3, 2)), {"nominal": [-1]}, "nominal feature -1 is out of range"),
        (np.zeros(2), np.zeros((3, 2)), {"nominal": ["colour"]}, "nominal feature 'colour' is out of range"),
        (np.zeros(1), np.array([[1.0], [np.nan]]), {}, "feature 0 of the background .* else than finite numbers"),
        (np.array(["a"]), np.array([["a"], ["b"]]), {}, "feature 0 .* name it in `nominal`"),
        (np.array(["a"], object), np.array([["a"], [2]], object), {}, "feature 0 .* name it in `nominal`"),
        (np.array(["a"], object), np.array([["a"], [2]], object), {"nominal": [0]}, "feature 0 mixes text and numbers"),
        (np.zeros(1), np.zeros((3, 1)), {"instances": 0}, "N >= 1"),
    ],
)
def test_what_does_not_fit_is_refused(x: Any, background: Any, settings: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        univariate(half, x, background, **settings)


@pytest.mark.parametrize(
    ("given_back", "message"),
    [
        (np.zeros(1), r"an array \(1,\) for 1 rows: want \(1, K\), K >= 2"),
        (np.ones((1, 1)), r"\(1, 1\) for 1 rows"),
        (np.zeros((2, 2)), r"\(2, 2\) for 1 rows"),
        (np.array([[-2.0, 3.0]]), "values from -2 to 3: want probabilities"),
        (np.array([[np.nan, 1.0]]), "want probabilities"),
    ],
)
def test_what_gives_no_probabilities_is_refused(given_back: np.ndarray, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        univariate(lambda rows: given_back, np.zeros(1), np.zeros((3, 1)))
