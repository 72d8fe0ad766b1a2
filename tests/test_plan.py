"""What is checked and fixed before a run: settings, tiles, batches; and a tile's evaluation."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import LinearNet, MapNet, NormalSampler, NumpyNet, analysis, photo
from hypothesis import given
from hypothesis import strategies as st

from predicdiff import plan as planning
from predicdiff.errors import BlobError, SamplerError, SettingsError, WindowError
from predicdiff.noise import Noise
from predicdiff.plan import Analysis

SHAPE = (3, 7, 9)


def plan(net: Any = None, image: Any = None, sampler: Any = None, **settings: Any) -> Analysis:
    net = MapNet(SHAPE) if net is None else net
    image = photo(SHAPE) if image is None else image
    settings = {"window": 3, "samples": 4, "stride": 1, **settings}
    return analysis(net, image, NormalSampler() if sampler is None else sampler, **settings)


@pytest.mark.parametrize(
    ("settings", "error", "match"),
    [
        ({"samples": 0}, SettingsError, "samples S = 0: want at least 1"),
        ({"samples": 2.5}, SettingsError, r"samples S = 2.5: want a whole number"),
        ({"window": 3.0}, SettingsError, r"window k = 3.0: want a whole number"),
        ({"seed": "x"}, SettingsError, "seed 'x' is no whole number"),
        ({"seed": -1}, SettingsError, "seed -1 is out of range"),
        ({"seed": 2**64}, SettingsError, "seed 18446744073709551616 is out of range"),
        ({"window": 8}, WindowError, "window k = 8 does not fit: want 1 <= k <= 7"),
        ({"window": 0}, WindowError, "window k = 0"),
        ({"stride": 4}, WindowError, "stride = 4 with window k = 3: want 1 <= stride <= k"),
        ({"stride": 0}, WindowError, "stride = 0"),
        ({"blob": "score"}, BlobError, "no blob 'score'. Near names: scores"),
        ({"blob": "scores", "measure": "evidence"}, SettingsError, "which holds no probabilities: want 'prob'"),
        ({"measure": "bits"}, SettingsError, "measure 'bits' is unknown: want evidence or activation"),
        ({"training_instances": 0}, SettingsError, "N >= 1 and K >= 2, not N = 0 and K = 4"),
        ({"training_instances": 0.5}, SettingsError, "training_instances N = 0.5: want a whole number"),
        ({"units": [4]}, BlobError, "unit 4 is out of range"),
        ({"units": [1], "top": 1}, SettingsError, "want one of them"),
        ({"units": [1], "against": 1}, SettingsError, "against itself"),
    ],
)  # fmt: skip
def test_settings_that_are_refused(settings: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        plan(**settings)


@given(size=st.tuples(st.integers(4, 12), st.integers(4, 12)), samples=st.integers(1, 700), data=st.data())
def test_tiles_hold_every_window_once(size: tuple[int, int], samples: int, data: st.DataObject) -> None:
    window = data.draw(st.integers(1, 4))
    planned = plan(
        LinearNet(np.ones((2, 1, *size))), np.zeros((1, *size)), window=window, samples=samples,
        stride=data.draw(st.integers(1, window)),
    )  # fmt: skip
    for evaluations in (planning.TILE_EVALUATIONS, data.draw(st.integers(1, 2000))):
        tiles = planned.tiles(evaluations)
        held = [i for tile in tiles for i in range(tile.start, tile.stop)]
        assert held == list(range(len(planned.origins)))
        assert max(tile.stop - tile.start for tile in tiles) * samples < evaluations + samples
    assert planned.tiles() == planned.tiles(planning.TILE_EVALUATIONS)


def test_settings_are_plain_whatever_whole_numbers_came() -> None:
    numbers = {"window": np.int64(3), "samples": np.int32(4), "stride": np.int8(2), "seed": np.uint64(2**63)}
    planned = plan(**numbers, units=np.array([2, 0]), against=np.int64(1), training_instances=np.int64(99))
    assert json.loads(json.dumps(planned.identity))["settings"] == {
        "window": 3, "samples": 4, "stride": 2, "seed": 2**63, "blob": "prob", "units": [[2], [0]],
        "measure": "evidence", "against": [1], "training_instances": 99, "classes": 4,
        "start": None, "channels_apart": False, "between": "linear",
    }  # fmt: skip


def test_more_draws_than_memory_has_room_for() -> None:
    with pytest.raises(SettingsError, match="S = 1000000000 draws wants"):
        plan(samples=10**9)


def test_the_identity_tells_images_and_samplers_apart() -> None:
    class Other(NormalSampler):
        provenance: Any = {"fitted on": "cats"}  # noqa: RUF012

    image = photo(SHAPE)
    image[0, 0, 0] += 1
    first = plan().identity
    assert first == plan().identity
    assert plan(image=image).identity["pixels"] != first["pixels"]
    assert first["sampler"] == "NormalSampler"
    assert plan(sampler=Other()).identity["sampler"] == {"fitted on": "cats"}


def test_the_blob_is_by_default_the_probabilities_then_the_scores_then_the_last() -> None:
    net = MapNet(SHAPE)
    assert (plan(net).blob, plan(net).readout.measure) == ("prob", "evidence")
    net.output = None
    assert (plan(net).blob, plan(net).readout.measure) == ("scores", "activation")
    net.scores = None
    assert plan(net, units=[0]).blob == "prob"
    with pytest.raises(SettingsError, match="a blob of probabilities, which this net lacks"):
        plan(net, units=[0], measure="evidence")


@pytest.mark.parametrize("scores", [[-2.0, 0.5], [0.5, 3.0], [-3.0, 3.0]])
def test_what_a_net_wrongly_calls_probabilities_is_refused(scores: list[float]) -> None:
    net = LinearNet(np.zeros((2, *SHAPE)), scores)
    net.output = "scores"
    with pytest.raises(
        SettingsError, match=f"'scores', which holds values from {scores[0]:g} to {scores[1]:g}: want prob"
    ):
        plan(net)
    assert plan(net, measure="activation").readout.measure == "activation"


def test_classes_of_laplace_are_the_nets_outcomes_where_it_says() -> None:
    net = MapNet(SHAPE)
    assert plan(net).readout.classes == 4
    net.outcomes = 2  # type: ignore[attr-defined]
    assert plan(net).readout.classes == 2


@pytest.mark.parametrize(("memory", "batch"), [(0, 1), (999, 1), (1000, 1), (17_999, 17), (10**9, 320)])
def test_batches_are_sized_from_memory_and_the_nets_liking(memory: int, batch: int) -> None:
    net = MapNet(SHAPE)
    assert net.bytes_per_input("prob") == 1000
    assert plan(net).batch(memory) == batch
    net.preferred_batch = 16  # type: ignore[attr-defined]
    assert plan(net).batch(memory) == min(batch, 16)
    net.preferred_batch = 1280  # type: ignore[attr-defined]
    assert plan(net).batch(10**9) == 1280


class Frugal(MapNet):
    """Says what `evaluate` takes: something once, and something for each input of a batch."""

    preferred_batch = 16
    asked: Any = None

    def bytes_needed(self, blob: str, *, start: Any, window: int) -> tuple[int, int]:
        self.asked = (blob, start, window)
        return 50_000, 1000


# nine tenths of the memory are the net's, the rest is for draws
@pytest.mark.parametrize(("memory", "batch"), [(56_667, 1), (57_777, 1), (57_778, 2), (70_000, 13), (10**9, 16)])
def test_what_is_needed_once_is_taken_off_the_memory(memory: int, batch: int) -> None:
    net = Frugal(SHAPE)
    assert plan(net).batch(memory) == batch
    assert net.asked == ("prob", None, 3)


@pytest.mark.parametrize("memory", [0, 50_000, 56_666])
def test_memory_too_small_for_one_input_is_refused(memory: int) -> None:
    with pytest.raises(SettingsError, match=r"is too little for net 'numpy', .*: want at least 5\.7e-05 GB"):
        plan(Frugal(SHAPE)).batch(memory)


@pytest.mark.parametrize("memory", [0, 10**6, 3 * 10**6, 10**12])
@pytest.mark.parametrize("preferred", [None, 1, 16, 1280])
def test_a_tile_is_many_batches_if_their_draws_fit(memory: int, preferred: int | None) -> None:
    net = MapNet(SHAPE)
    if preferred is not None:
        net.preferred_batch = preferred  # type: ignore[attr-defined]
    evaluations = plan(net).tile(memory)
    draws = 2 * evaluations * 4 * 3 * 3 * 3  # this tile's and the next one's: float32, three channels, 3 x 3
    assert evaluations == planning.TILE_EVALUATIONS or draws <= memory * planning.DRAWS_SHARE
    assert evaluations == planning.TILE_EVALUATIONS or evaluations <= planning.TILE_BATCHES * (preferred or 0)
    if memory == 10**12:
        assert evaluations == max(planning.TILE_EVALUATIONS, planning.TILE_BATCHES * (preferred or 0))


@pytest.mark.parametrize(
    "shape",
    [
        (2, 4, 3, 3),
        (3, 4, 3, 3, 3),
        (2, 5, 3, 3, 3),
        (2, 0, 3, 3, 3),
        (2, 4, 1, 3, 3),
        (2, 4, 3, 3, 2),
        (2, 4, 3, 2, 3),
    ],
)
def test_draws_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    class Wrong:
        def draw(self, *args: Any, **settings: Any) -> np.ndarray:
            return np.zeros(shape)

    with pytest.raises(SamplerError, match=r"Wrong.draw gave an array \(.*want \(2, 1 to 4, 3, 3, 3\)"):
        plan(sampler=Wrong())


def noise_of(windows: int, value: float = 1.0) -> Noise:
    """Four draws for each window, all of them ``value``."""
    law = np.zeros((1, 27, 27))
    return Noise(np.ones((windows, 4, 1, 27)), np.full((windows, 1, 27), value), np.zeros(windows, int), (law,), (3, 3))


class Noisy(NormalSampler):
    def noise(self, pixels: np.ndarray, origins: np.ndarray, **settings: Any) -> Noise:
        return noise_of(len(origins))


class Taking(MapNet):
    takes_noise = True

    def evaluate(self, pixels: np.ndarray, origins: np.ndarray, patches: Any, **settings: Any) -> np.ndarray:
        patches = patches.patches() if isinstance(patches, Noise) else patches
        return super().evaluate(pixels, origins, patches, **settings)


def test_noise_is_for_nets_that_take_it_and_samplers_that_have_it() -> None:
    assert isinstance(plan(Taking(SHAPE), sampler=Noisy()).sample(slice(0, 5)), Noise)
    assert isinstance(plan(sampler=Noisy()).sample(slice(0, 5)), np.ndarray)
    assert isinstance(plan(Taking(SHAPE)).sample(slice(0, 5)), np.ndarray)
    assert isinstance(plan(Taking(SHAPE), sampler=Noisy(), channels_apart=True).sample(slice(0, 5)), np.ndarray)

    class Changed(Noisy):
        def draw(self, *args: Any, **settings: Any) -> np.ndarray:
            return super().draw(*args, **settings) / 2

    assert isinstance(plan(Taking(SHAPE), sampler=Changed()).sample(slice(0, 5)), np.ndarray), "noise is not halved"


def test_noise_is_evaluated_as_the_patches_it_makes() -> None:
    class Ones(NormalSampler):
        def draw(self, *args: Any, **settings: Any) -> np.ndarray:
            return np.ones_like(super().draw(*args, **settings))

    tile, noisy, ones = slice(2, 8), plan(Taking(SHAPE), sampler=Noisy()), plan(sampler=Ones())
    differences = noisy.outcome(tile, noisy.sample(tile), 8)
    wanted = ones.outcome(tile, ones.sample(tile), 8)
    np.testing.assert_array_equal(differences, wanted)
    apart = plan(Taking(SHAPE), sampler=Noisy(), channels_apart=True)
    differences = apart.outcome(slice(2, 8), noise_of(6), 8)
    np.testing.assert_array_equal(differences, apart.outcome(slice(2, 8), noise_of(6).patches(), 8))


def test_noise_of_another_shape_or_of_no_numbers_is_refused() -> None:
    class Short(Noisy):
        def noise(self, *args: Any, **settings: Any) -> Noise:
            return noise_of(4)

    class Wrong(Noisy):
        def noise(self, *args: Any, **settings: Any) -> Noise:
            return noise_of(5, np.nan)

    with pytest.raises(SamplerError, match=r"Short\.noise gave an array \(4, .*: want \(5, 1 to 4, 3, 3, 3\)"):
        plan(Taking(SHAPE), sampler=Short()).sample(slice(0, 5))
    with pytest.raises(SamplerError, match=r"Wrong\.noise gave NaN or infinity"):
        plan(Taking(SHAPE), sampler=Wrong()).sample(slice(0, 5))


def test_draws_that_are_no_numbers_are_refused() -> None:
    class Wrong:
        def draw(self, *args: Any, **settings: Any) -> np.ndarray:
            return np.full((2, 4, 3, 3, 3), np.nan)

    with pytest.raises(SamplerError, match=r"Wrong\.draw gave NaN or infinity"):
        plan(sampler=Wrong())


def test_a_tile_is_the_net_on_patches_that_the_sampler_drew() -> None:
    """Each draw enters at its window, and the net is asked for the targets and, last, the one they are held against."""
    seen: dict[str, Any] = {}

    class Watched(NumpyNet):
        def compute(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
            return {"prob": np.full((len(inputs), 3), 1 / 3)}

        def evaluate(self, pixels: Any, origins: Any, patches: Any, **settings: Any) -> np.ndarray:
            seen.update(settings, origins=origins, patches=patches)
            return super().evaluate(pixels, origins, patches, **settings)

    planned = plan(Watched(SHAPE), units=[2, 1], against=0, seed=3)
    planned.outcome(slice(30, 33), planned.draw(slice(30, 33)), 7)
    origins = [(r, c) for r in range(5) for c in range(7)][30:33]
    np.testing.assert_array_equal(seen["origins"], origins)
    wanted = NormalSampler().draw(planned.pixels, np.array(origins), window=3, samples=4, seed=3)
    np.testing.assert_array_equal(seen["patches"], wanted)
    assert (seen["blob"], seen["units"], seen["batch_size"]) == ("prob", [(2,), (1,), (0,)], 7)
