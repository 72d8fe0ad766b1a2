"""What the method builds on, against explicit loops, closed forms, and the libraries that have them too."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import LinearNet, MapNet, photo
from hypothesis import given
from hypothesis import strategies as st

from predicdiff.errors import SettingsError, WindowError
from predicdiff.methods.occlusion import GreyPatch, occlusion, univariate

# ---------------------------------------------------------------------------------------------- occlusion


def starts(size: int, window: int, stride: int) -> list[int]:
    return [i for i in range(size - window + 1) if i % stride == 0 or i == size - window]


def by_loops(net: Any, image: np.ndarray, unit: int, window: int, stride: int, grey: list[float]) -> np.ndarray:
    """Mean over the windows on each pixel of the fall of a probability."""
    _, height, width = image.shape
    held: dict[tuple[int, int], list[float]] = {(r, c): [] for r in range(height) for c in range(width)}
    before = net.forward(image[None], ["prob"])["prob"][0, unit]
    for row in starts(height, window, stride):
        for column in starts(width, window, stride):
            covered = image.copy()
            for r in range(row, row + window):
                for c in range(column, column + window):
                    covered[:, r, c] = grey
            after = net.forward(covered[None], ["prob"])["prob"][0, unit]
            for r in range(row, row + window):
                for c in range(column, column + window):
                    held[r, c].append(float(before) - float(after))
    return np.array([[statistics.fmean(held[r, c]) for c in range(width)] for r in range(height)])


@pytest.mark.parametrize(("window", "stride"), [(1, 1), (2, 1), (3, 2), (3, 3), (6, 1)])
@pytest.mark.parametrize("value", [127.5, [10.0, 200.0]])
def test_occlusion_window_by_window(window: int, stride: int, value: Any) -> None:
    net, image = MapNet((2, 6, 8), seed=1), photo((2, 6, 8), 2)
    found = occlusion(net, image, window=window, stride=stride, value=value, units=[3])
    wanted = by_loops(net, image, 3, window, stride, list(np.broadcast_to(value, 2)))
    np.testing.assert_allclose(found.relevance[0], wanted, atol=1e-6)
    assert found.unit == "activation"
    assert not found.stderr.any()
    assert found.settings["samples"] == 1


def test_the_patch_is_evaluated_once_a_window() -> None:
    net = LinearNet(np.ones((2, 1, 4, 4)))
    occlusion(net, photo((1, 4, 4)), window=2, stride=2)
    assert sum(net.batches) == 4


def test_evidence_on_request_of_the_probability_behind_the_patch() -> None:
    net, image = MapNet((1, 4, 4), seed=2), photo((1, 4, 4))
    found = occlusion(net, image, window=4, measure="evidence", units=[0]).relevance[0]

    def odds(pixels: np.ndarray) -> float:
        p = (float(net.forward(pixels[None], ["prob"])["prob"][0, 0]) * 10_000 + 1) / (10_000 + 4)
        return math.log2(p / (1 - p))

    np.testing.assert_allclose(found, odds(image) - odds(np.full_like(image, 127.5)), rtol=1e-4)


def test_a_grey_picture_loses_nothing_behind_a_patch_of_its_own_grey() -> None:
    found = occlusion(MapNet((3, 5, 5)), np.full((3, 5, 5), 90.0, np.float32), window=2, value=90.0)
    np.testing.assert_allclose(found.relevance, 0, atol=1e-6)


def test_a_patch_has_one_colour_at_every_place_whatever_the_seed() -> None:
    origins = np.array([[0, 0], [2, 1]])
    found = GreyPatch([1, 2, 3]).draw(photo((3, 5, 4)), origins, window=3, samples=7, seed=11)
    assert found.shape == (2, 1, 3, 3, 3)
    assert found.dtype == np.float32
    for channel in range(3):
        assert (found[:, :, channel] == channel + 1).all()
    found[:] = 0  # a result of its own
    assert GreyPatch(5.0).draw(photo((2, 5, 4)), origins, window=1, samples=1, seed=0).min() == 5
    assert GreyPatch([1, 2, 3]).provenance == {"kind": "grey", "value": [1.0, 2.0, 3.0]}
    assert GreyPatch().provenance == {"kind": "grey", "value": 127.5}


@pytest.mark.parametrize("measure", ["activation", "evidence"])
def test_what_a_result_says_of_chance(measure: str) -> None:
    found = occlusion(MapNet((1, 3, 3)), photo((1, 3, 3)), window=1, measure=measure)
    assert found.notes == list(GreyPatch.notes)
    assert not found.stderr.any()


@pytest.mark.parametrize("value", ["grey", [[1.0]], math.nan, math.inf, 1e300, None])
def test_what_is_no_colour_is_refused(value: Any) -> None:
    with pytest.raises(SettingsError, match="want a number, or one for each channel"):
        occlusion(MapNet((1, 3, 3)), photo((1, 3, 3)), window=1, value=value)


def test_settings_of_occlusion_that_do_not_fit_are_refused() -> None:
    net, image = MapNet((3, 4, 4)), photo((3, 4, 4))
    with pytest.raises(SettingsError, match="grey has 2 values: want one, or one for each of 3 channels"):
        occlusion(net, image, window=2, value=[1.0, 2.0])
    with pytest.raises(WindowError, match="window k = 5 does not fit"):
        occlusion(net, image, window=5)


@pytest.mark.parametrize(("window", "stride"), [(1, 1), (2, 1), (3, 1), (2, 2), (4, 2), (6, 3), (3, 3)])
def test_occlusion_is_captums(window: int, stride: int) -> None:
    """Where windows cover the image without a rest: 12 x 9 pixels here, or stride 1."""
    torch = pytest.importorskip("torch")
    captum = pytest.importorskip("captum.attr")
    from predicdiff.nets.modules.net import ModuleNet

    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(4 * 10 * 7, 5)
    )
    height, width = 12, 9
    if (height - window) % stride or (width - window) % stride:
        height, width = 12, 12
        module[3] = torch.nn.Linear(4 * 10 * 10, 5)
    net = ModuleNet(module, input_shape=(3, height, width), device="cpu")
    image, grey = photo((3, height, width)) / 255, [0.2, 0.5, 0.7]
    found = occlusion(net, image, window=window, stride=stride, value=grey, blob="logits", units=[2])
    wanted = captum.Occlusion(module).attribute(
        torch.tensor(image[None]),
        sliding_window_shapes=(3, window, window),
        strides=(3, stride, stride),
        baselines=torch.tensor(grey, dtype=torch.float32).reshape(1, 3, 1, 1).expand(1, 3, height, width),
        target=2,
        perturbations_per_eval=4,
    )
    for channel in range(3):  # one value a pixel, repeated
        np.testing.assert_allclose(found.relevance[0], wanted[0, channel].detach().numpy(), atol=1e-5)


# ---------------------------------------------------------------------------------------------- univariate


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
    found = np.empty((len(x), len(base)))
    for feature in range(len(x)):
        taken = [row[feature] for row in background] if values is None else values[feature]
        total = [0.0] * len(base)
        for value in taken:
            changed = list(x)
            changed[feature] = value
            p = predict(np.array([changed], dtype=object))[0]
            total = [t + float(q) for t, q in zip(total, p)]
        for c in range(len(base)):
            found[feature, c] = bits(base[c], instances, len(base)) - bits(total[c] / len(taken), instances, len(base))
    return found


@pytest.mark.parametrize("nominal", [(), (0, 1, 2)])
@pytest.mark.parametrize("instances", [None, 50_000])
def test_few_values_are_taken_one_by_one(nominal: tuple[int, ...], instances: Any) -> None:
    background = np.random.default_rng(0).integers(0, 4, (30, 3))
    x = np.array([1, 3, 9])  # 9 is in no other instance
    found = univariate(Counted(), x, background, nominal=nominal, instances=instances)
    np.testing.assert_allclose(found, loops(Counted(), x, background, instances or 30), rtol=1e-9, atol=1e-12)


def test_words_and_numbers_together() -> None:
    background = np.array([["red", 1.5, "a"], ["green", 2.5, "bbb"], ["red", 0.5, "a"], ["blue", 1.0, "a"]], object)
    x = np.array(["green", 1.5, "a"], object)
    found = univariate(Counted(), x, background, nominal=[0, 2])
    np.testing.assert_allclose(found, loops(Counted(), x, background, 4), rtol=1e-9)


def test_words_alone_may_be_longer_than_those_of_the_instance() -> None:
    background = np.array([["a", "bb"], ["cccccc", "d"]])
    found = univariate(Counted(), np.array(["a", "b"]), background, nominal=[0, 1])
    np.testing.assert_allclose(found, loops(Counted(), ["a", "b"], background, 2), rtol=1e-9)


@pytest.mark.parametrize("bins", [1, 3, 7])
def test_many_numbers_by_the_medians_of_equal_groups(bins: int) -> None:
    background = np.random.default_rng(1).normal(size=(21, 2))
    x = np.array([0.3, -0.2])
    values = []
    for feature in range(2):
        ascending = sorted(background[:, feature].tolist())
        values.append([statistics.median(ascending[i : i + 21 // bins]) for i in range(0, 21, 21 // bins)])
    found = univariate(Counted(), x, background, bins=bins)
    np.testing.assert_allclose(found, loops(Counted(), x, background, 21, values), rtol=1e-9)


def test_groups_of_unequal_size_count_by_their_size() -> None:
    """Seven instances in three groups: three, two and two."""
    background = np.array([[0.0], [1.0], [5.0], [6.0], [8.0], [20.0], [21.0]])
    wanted = loops(Counted(), [2.0], background, 7, [[1.0] * 3 + [7.0] * 2 + [20.5] * 2])
    np.testing.assert_allclose(univariate(Counted(), np.array([2.0]), background, bins=3), wanted, rtol=1e-9)


def test_a_nominal_feature_is_not_cut_into_groups() -> None:
    background = np.arange(40).reshape(40, 1) / 7
    found = univariate(Counted(), np.array([2.0]), background, nominal=[0], bins=5)
    np.testing.assert_allclose(found, loops(Counted(), [2.0], background, 40), rtol=1e-9)


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
    found = univariate(lambda rows: np.tile([p, 1 - p], (len(rows), 1)), np.array([value, value]), background)
    np.testing.assert_allclose(found, 0, atol=1e-9)


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
        found = univariate(predict, np.array([a, 1]), np.array(background), nominal=[0, 1], instances=10**12)
        ratio = math.log2(likelihood[1][a] / likelihood[0][a])
        np.testing.assert_allclose(found[0], [-ratio, ratio], rtol=1e-6)
        np.testing.assert_allclose(found[1], 0, atol=1e-6)


def test_naive_bayes_with_a_normal_feature_is_the_likelihood_ratio() -> None:
    """Classes N(-1, 1) and N(1, 1), as likely: log2 of the ratio at a is 2 a / ln 2. Fine bins come close to it."""
    normal = statistics.NormalDist()
    quantiles = [(i + 0.5) / 2000 for i in range(2000)]
    background = np.array([[mean + normal.inv_cdf(q)] for q in quantiles for mean in (-1, 1)])

    def predict(rows: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-2 * rows[:, 0]))
        return np.column_stack([1 - p, p])

    for a in (-2.0, 0.0, 0.7, 3.0):
        found = univariate(predict, np.array([a]), background, bins=200, instances=10**12)
        np.testing.assert_allclose(found[0], [-2 * a / math.log(2), 2 * a / math.log(2)], atol=1e-3)


def test_a_classifier_of_scikit_learn() -> None:
    naive_bayes = pytest.importorskip("sklearn.naive_bayes")
    random = np.random.default_rng(3)
    y = random.integers(0, 3, 60)
    instances = random.normal(size=(60, 4)) + y[:, None]
    model = naive_bayes.GaussianNB().fit(instances, y)
    found = univariate(model.predict_proba, instances[7], instances, bins=60)
    assert found.shape == (4, 3)
    wanted = loops(lambda rows: model.predict_proba(rows.astype(float)), instances[7], instances, 60)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)

    words = random.integers(0, 4, (60, 3))
    nominal = naive_bayes.CategoricalNB().fit(words, y)
    found = univariate(nominal.predict_proba, words[5], words, nominal=[0, 1, 2])
    np.testing.assert_allclose(
        found, loops(lambda rows: nominal.predict_proba(rows.astype(int)), words[5], words, 60), rtol=1e-9
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
