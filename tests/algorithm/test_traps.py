"""Where an analysis looks right and is wrong, from the sampler to the map.

Borders and conditioning have their tests in samplers/test_gaussian.py and, through the whole method, in
test_explain_oracles.py; standard errors in test_explain_stderr.py.
"""

from __future__ import annotations

import io
from typing import Any, Callable

import numpy as np
import pytest
from helpers.engines import tiny_net
from helpers.oracle_nets import LinearNet, NumpyNet, photo, softmax
from scipy import ndimage

from predicdiff.algorithm import explain
from predicdiff.errors import ConfidenceWarning, InputWarning, SettingsError
from predicdiff.images import View
from predicdiff.nets.preprocessing import Preprocessing
from predicdiff.samplers.gaussian import GaussianSampler
from predicdiff.samplers.marginal import MarginalSampler


class Given:
    """Draws what it was given (S, C, k, k), the same for every window."""

    def __init__(self, draws: Any) -> None:
        self.draws = np.asarray(draws, np.float32)

    def draw(self, pixels: Any, origins: np.ndarray, *, window: int, samples: int, seed: int) -> np.ndarray:
        return np.stack([self.draws[:samples]] * len(origins))


# ------------------------------------------------------------------------------------------ colours

SIZE = (3, 24, 24)


def caffe_net(preprocessing: Preprocessing) -> Any:
    return tiny_net(preprocessing=preprocessing), "data"


def module_net(preprocessing: Preprocessing) -> Any:
    """A module that hands its input through, as a blob to look at."""
    torch = pytest.importorskip("torch")
    from predicdiff.nets.zoo import load_net

    class Seen(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.seen = torch.nn.Identity()

        def forward(self, x: Any) -> Any:
            return self.seen(x * 1).flatten(1)[:, :2]

    return load_net(Seen(), input_shape=SIZE, preprocessing=preprocessing), "seen"


MEAN_IMAGE = photo((3, 24, 24), 9)
PREPROCESSINGS = {
    "bgr less means": (
        Preprocessing(View("warp"), "bgr", mean=[104.0, 117.0, 123.0]),
        lambda rgb, r, c: [rgb[2] - 104, rgb[1] - 117, rgb[0] - 123],
    ),
    "rgb, 0 to 1, scaled": (
        Preprocessing(View("warp"), "rgb", mean=[0.5, 0.4, 0.3], raw_scale=1.0, scale=[2.0, 3.0, 4.0]),
        lambda rgb, r, c: [(rgb[0] / 255 - 0.5) * 2, (rgb[1] / 255 - 0.4) * 3, (rgb[2] / 255 - 0.3) * 4],
    ),
    "bgr less a mean image": (
        Preprocessing(View("warp"), "bgr", mean=MEAN_IMAGE),
        lambda rgb, r, c: [float(rgb[2 - i] - MEAN_IMAGE[i, r, c]) for i in range(3)],
    ),
}


@pytest.mark.parametrize("net", [caffe_net, module_net])
@pytest.mark.parametrize("kind", PREPROCESSINGS)
@pytest.mark.parametrize("sampler", ["marginal", "conditional"])
def test_a_red_corpus_gives_red_patches_in_every_nets_input(net: Callable[..., Any], kind: str, sampler: str) -> None:
    """At the pixels of a window, and there alone, the input becomes what the net makes of red at that place."""
    preprocessing, encoded = PREPROCESSINGS[kind]
    red_net, blob = net(preprocessing)
    red = np.zeros((4, *SIZE), np.float32)
    red[:, 0] = 255
    image = photo(SIZE, 1)
    drawn: Any = MarginalSampler(red) if sampler == "marginal" else GaussianSampler.fit(red, 8, patches=500)
    rows, columns = (3, 11, 20), (2, 17)
    units = [(c, row, column) for row in rows for column in columns for c in range(3)]
    result = explain(red_net, image, drawn, window=6, stride=6, between="none", samples=4, blob=blob, units=units)
    wanted = [v for row in rows for column in columns for v in encoded((255.0, 0.0, 0.0), row, column)]
    inside = [result.relevance[i, row, column] for i, (_, row, column) in enumerate(units)]
    np.testing.assert_allclose(result.base - inside, wanted, rtol=0, atol=0.02)
    for i, (_, row, column) in enumerate(units):
        away = np.ones(SIZE[1:], bool)
        away[row // 6 * 6 : row // 6 * 6 + 6, column // 6 * 6 : column // 6 * 6 + 6] = False
        np.testing.assert_allclose(result.relevance[i][away], 0, atol=1e-9)


# ------------------------------------------------------------------------------------------ place

HEIGHT, WIDTH, TOP, BOTTOM, LEFT, RIGHT = 10, 18, 2, 5, 11, 15


def watching() -> tuple[LinearNet, np.ndarray, MarginalSampler]:
    """A net that looks at rows 2 to 4, columns 11 to 14 alone, an image bright there alone, a corpus of dark images."""
    weights = np.zeros((2, 3, HEIGHT, WIDTH))
    weights[1, :, TOP:BOTTOM, LEFT:RIGHT] = 1e-3
    image = np.full((3, HEIGHT, WIDTH), 20, np.float32)
    image[:, TOP:BOTTOM, LEFT:RIGHT] = 250
    net = LinearNet(weights, [float(np.sum(weights[1] * image)) - 1, 0])
    return net, image, MarginalSampler(np.stack([np.full(image.shape, v, np.float32) for v in (5, 10, 15, 30)]))


@pytest.mark.parametrize("window", [1, 2, 3])
def test_only_windows_over_what_the_net_looks_at_are_relevant(window: int) -> None:
    """Pixels of windows that overlap the patch are positive, all others zero, and the most positive lie in it."""
    net, image, sampler = watching()
    relevance = explain(net, image, sampler, window=window, samples=4, units=[1]).relevance[0]
    near = np.zeros((HEIGHT, WIDTH), bool)
    near[max(TOP - window + 1, 0) : BOTTOM + window - 1, LEFT - window + 1 : min(RIGHT + window - 1, WIDTH)] = True
    assert (relevance[near] > 1e-3).all()
    np.testing.assert_allclose(relevance[~near], 0, atol=1e-6)
    row, column = np.unravel_index(relevance.argmax(), relevance.shape)
    assert TOP <= row < BOTTOM
    assert LEFT <= column < RIGHT


def test_the_same_place_is_red_in_the_png() -> None:
    """The input and the map are drawn side by side: the red lies in the one where the bright lies in the other."""
    from PIL import Image

    net, image, sampler = watching()
    result = explain(net, image, sampler, window=1, samples=4, units=[1])
    png = np.asarray(Image.open(io.BytesIO(result._repr_png_())).convert("RGB")).astype(int)
    bright, dark = box((png == 250).all(axis=2)), box((png == 20).all(axis=2))
    red = box((png[..., 0] > 100) & (png[..., 1:] < 30).all(axis=2))
    grey = box((png == png[red[0] + 1, red[2] - 4]).all(axis=2))
    np.testing.assert_allclose(inside(red, grey), inside(bright, dark), atol=0.02)
    exact = [TOP / HEIGHT, BOTTOM / HEIGHT, LEFT / WIDTH, RIGHT / WIDTH]
    np.testing.assert_allclose(inside(red, grey), exact, atol=0.02)


def box(where: np.ndarray) -> tuple[int, int, int, int]:
    """First and last row and column of the largest connected part."""
    parts, count = ndimage.label(where)
    sizes = ndimage.sum(where, parts, range(1, count + 1))
    rows, columns = np.nonzero(parts == 1 + int(np.argmax(sizes)))
    return int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1


def inside(part: tuple[int, int, int, int], whole: tuple[int, int, int, int]) -> list[float]:
    height, width = whole[1] - whole[0], whole[3] - whole[2]
    return [
        (part[0] - whole[0]) / height, (part[1] - whole[0]) / height,
        (part[2] - whole[2]) / width, (part[3] - whole[2]) / width,
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------ marginal draws


def test_a_marginal_draw_is_one_images_whole_window_all_colours_together() -> None:
    """Images of one colour each, green half of red, leave nothing to a net that sees differences between pixels and
    other colours alone.
    """

    class Mixed(NumpyNet):
        def compute(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
            differing = np.ptp(inputs[:, 0], axis=(1, 2))
            coloured = np.abs(inputs[:, 1] - inputs[:, 0] / 2).max(axis=(1, 2))
            return {"scores": np.stack([differing, coloured], axis=1)}

    plain = np.ones((6, 2, 5, 5), np.float32) * np.arange(10, 70, 10)[:, None, None, None]
    plain[:, 1] /= 2
    result = explain(
        Mixed((2, 5, 5)), photo((2, 5, 5)), MarginalSampler(plain), window=5, samples=4, blob="scores", units=[0, 1]
    )
    assert (result.base > 50).all()
    np.testing.assert_allclose(result.relevance, result.base[:, None, None] * np.ones((2, 5, 5)), atol=1e-4)


# ------------------------------------------------------------------------------------------ probabilities


def logistic(p: Any) -> np.ndarray:
    """Log-odds, to base e, of probabilities."""
    return np.log(np.asarray(p) / (1 - np.asarray(p)))


def one_pixel(outcomes: int = 2, instances: int = 10**9) -> LinearNet:
    """A net whose single pixel is the log-odds of its class 1."""
    net = LinearNet(np.array([0.0, 1.0]).reshape(2, 1, 1, 1))
    net.outcomes, net.training_instances = outcomes, instances  # type: ignore[attr-defined]
    return net


def at(p: float) -> np.ndarray:
    return logistic([p]).reshape(1, 1, 1)


def draws_of(p: list[float]) -> Given:
    return Given(logistic(p).reshape(-1, 1, 1, 1))


def test_the_mean_of_the_probabilities_goes_into_the_log_odds() -> None:
    """Draws of 0.9 and 0.3 have the mean 0.6: odds of 1.5. The mean of their log-odds is that of odds of 1.96."""
    result = explain(one_pixel(), at(0.8), draws_of([0.9, 0.3]), window=1, samples=2, units=[1])
    assert result.relevance[0, 0, 0] == pytest.approx(np.log2(4 / 1.5), abs=1e-5)


def test_the_mean_for_a_log_ratio_is_taken_before_the_logarithm_too() -> None:
    result = explain(one_pixel(), at(0.8), draws_of([0.9, 0.3]), window=1, samples=2, units=[1], against=0)
    assert result.relevance[0, 0, 0] == pytest.approx(np.log2(4 / 1.5), abs=1e-5)


def test_a_confident_net_is_flattened_and_the_scores_are_not() -> None:
    """With N = 1.28 M and K = 1000, Laplace turns p 0.99999 -> 0.9999 into 0.16 bit instead of 3.3."""
    net = one_pixel(outcomes=1000, instances=1_281_167)
    sampler = draws_of([0.9999] * 2)
    with pytest.warns(ConfidenceWarning, match="pre-softmax blob instead: blob='scores'"):
        result = explain(net, at(0.99999), sampler, window=1, samples=2, units=[1])
    assert result.relevance[0, 0, 0] == pytest.approx(0.16, abs=0.005)
    scores = explain(net, at(0.99999), sampler, window=1, samples=2, blob="scores", units=[1])
    assert scores.relevance[0, 0, 0] / np.log(2) == pytest.approx(3.32, abs=0.005)


def test_evidence_of_logits_is_refused() -> None:
    with pytest.raises(SettingsError, match="blob 'scores', which holds no probabilities: want 'prob'"):
        explain(
            one_pixel(), at(0.8), draws_of([0.5]), window=1, samples=1, blob="scores", units=[1], measure="evidence"
        )
    net = one_pixel()
    net.output, net.scores = "scores", None
    with pytest.raises(SettingsError, match=r"'scores', which holds values from 0 to .*: want probabilities"):
        explain(net, at(0.8), draws_of([0.5]), window=1, samples=1, units=[1])


def test_what_a_module_ends_in_is_held_against_what_it_is_said_to_end_in() -> None:
    torch = pytest.importorskip("torch")
    from predicdiff.nets.zoo import load_net

    torch.manual_seed(0)
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3))
    ending = torch.nn.Sequential(linear, torch.nn.Softmax(1))
    image = photo((1, 3, 4)) / 100
    weight, bias = (value.detach().numpy() for value in linear[1].parameters())
    prob = softmax((weight @ image.ravel() + bias)[None])[0]

    net = load_net(linear, input_shape=(1, 3, 4))
    np.testing.assert_allclose(net.forward(image[None], ["prob"])["prob"][0], prob, rtol=1e-5)
    with pytest.raises(SettingsError, match=f"blob {net.scores!r}, which holds no probabilities: want 'prob'"):
        explain(net, image, draws_of([0.5]), window=1, samples=1, blob=net.scores, units=[1], measure="evidence")

    with pytest.warns(InputWarning, match="as if a softmax had been applied already"):
        load_net(ending, input_shape=(1, 3, 4))
    net = load_net(ending, input_shape=(1, 3, 4), output="probabilities")
    np.testing.assert_allclose(net.forward(image[None], ["prob"])["prob"][0], prob, rtol=1e-5)
    assert (net.output, net.scores) == ("prob", None)

    with pytest.raises(SettingsError, match="which are no probabilities"):
        load_net(linear, input_shape=(1, 3, 4), output="probabilities")
    net = load_net(linear, input_shape=(1, 3, 4), output="activation")
    with pytest.raises(SettingsError, match="a blob of probabilities, which this net lacks"):
        explain(net, image, draws_of([0.5]), window=1, samples=1, units=[1], measure="evidence")
