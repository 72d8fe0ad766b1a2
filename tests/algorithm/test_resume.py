"""A run that was interrupted goes on where it stopped, to the same bits; one with other settings says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import MapNet, NormalSampler, photo
from helpers.oracle_nets import explained as counted
from helpers.places import ROOT

from predicdiff.errors import ExplanationError, SettingsError
from predicdiff.explanation import Explanation
from predicdiff.tile_records import TILE, array_bytes, packed

SHAPE = (2, 9, 10)
TILES, WINDOWS, SAMPLES = 14, 56, 80  # 4 windows a tile

#: A run in a process of its own, killed in the middle of its sixth tile.
KILLED = """
import os, signal, sys
from test_resume import Killed, explained

explained(net=Killed(after=5), checkpoint=sys.argv[1])
"""


class Killed(MapNet):
    """Dies by SIGKILL in a tile's evaluation, its draws made and half its batches done."""

    def __init__(self, after: int) -> None:
        super().__init__(SHAPE, dtype=np.float32)
        self.after = after

    def compute(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        if len(self.calls) > self.after and len(self.batches) % 20 == 10:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().compute(inputs)


class Interrupted(MapNet):
    """Is stopped by the keyboard after a number of tiles."""

    def __init__(self, after: int) -> None:
        super().__init__(SHAPE, dtype=np.float32)
        self.after = after

    def evaluate(self, *args: Any, **settings: Any) -> np.ndarray:
        if len(self.calls) == self.after:
            raise KeyboardInterrupt("by the keyboard")
        return super().evaluate(*args, **settings)


def explained(net: Any = None, image: Any = None, **settings: Any) -> Explanation:
    settings = {"window": 3, "samples": SAMPLES, "units": [0, 2], "batch_size": 16, **settings}
    net = MapNet(SHAPE, dtype=np.float32) if net is None else net
    sampler = settings.pop("sampler", NormalSampler())
    return counted(net, photo(SHAPE, 1) if image is None else image, sampler, **settings)


def bits(result: Explanation) -> bytes:
    return result.relevance.tobytes() + result.stderr.tobytes()


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """Tiles of a run that was stopped after five."""
    path = tmp_path / "cat.tiles"
    with pytest.raises(KeyboardInterrupt, match="by the keyboard"):
        explained(Interrupted(after=5), checkpoint=path)
    return path


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    path = tmp_path / "cat.tiles"
    folders = [str(Path(__file__).parent), str(ROOT / "tests"), str(ROOT)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=environment, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    net = MapNet(SHAPE, dtype=np.float32)
    result = explained(net, checkpoint=path)
    assert len(net.calls) == TILES - 5, "finished tiles are not evaluated again"
    assert bits(result) == bits(explained())


def test_an_interrupted_run_goes_on_to_the_same_bits(stopped: Path) -> None:
    net = MapNet(SHAPE, dtype=np.float32)
    told: list[tuple[int, int]] = []
    result = explained(net, checkpoint=stopped, progress=lambda *done: told.append(done))
    assert len(net.calls) == TILES - 5
    assert told == [(4 * (tile + 1), WINDOWS) for tile in range(TILES)]
    whole = explained()
    assert bits(result) == bits(whole)
    assert [one.provenance["windows_before"] for one in (result, whole)] == [5 * 4, 0]


def test_a_run_can_be_interrupted_over_and_over(tmp_path: Path) -> None:
    path = tmp_path / "cat.tiles"
    for _ in range(6):
        with pytest.raises(KeyboardInterrupt, match="by the keyboard"):
            explained(Interrupted(after=2), checkpoint=path)
    net = MapNet(SHAPE, dtype=np.float32)
    assert bits(explained(net, checkpoint=path)) == bits(explained())
    assert len(net.calls) == TILES - 12


def test_a_finished_run_is_not_evaluated_again(tmp_path: Path) -> None:
    first = explained(checkpoint=tmp_path / "new" / "cat.tiles")
    net = MapNet(SHAPE, dtype=np.float32)
    assert bits(explained(net, checkpoint=tmp_path / "new" / "cat.tiles")) == bits(first)
    assert net.calls == []


def test_wherever_the_file_was_cut_the_bits_are_the_same(stopped: Path, tmp_path: Path) -> None:
    """A kill may come while a tile is written."""
    wanted, whole = bits(explained()), stopped.read_bytes()
    evaluated = []
    for size in np.linspace(0, len(whole), 24).astype(int):
        cut = tmp_path / "cut.tiles"
        cut.write_bytes(whole[:size])
        net = MapNet(SHAPE, dtype=np.float32)
        assert bits(explained(net, checkpoint=cut)) == wanted
        evaluated.append(len(net.calls))
    assert evaluated == sorted(evaluated, reverse=True)
    assert (evaluated[0], evaluated[-1]) == (TILES, TILES - 5)


def test_another_batch_size_takes_effect_and_is_told(stopped: Path) -> None:
    net = MapNet(SHAPE, dtype=np.float32)
    result = explained(net, checkpoint=stopped, batch_size=320)
    assert set(net.batches) == {320}
    assert result.notes[-1] == (
        "5 of 14 tiles were made in batches of 16, the rest in batches of 320: "
        "values agree to rounding, not to the bit."
    )
    # float32 probabilities of 1/4 and their log-odds: some of their steps
    np.testing.assert_allclose(result.relevance, explained().relevance, atol=1e-5)


def test_tiles_that_do_not_fit_into_less_memory_are_refused(tmp_path: Path) -> None:
    """1000 bytes for an input, and 2 x 3 x 3 float32 for each of a tile's draws, twice, a tenth of all."""
    path, before, after = tmp_path / "cat.tiles", Interrupted(after=1), MapNet(SHAPE, dtype=np.float32)
    before.preferred_batch = after.preferred_batch = 20  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt, match="by the keyboard"):
        explained(before, checkpoint=path, batch_size=None)
    with pytest.raises(
        SettingsError, match=r"tiles that the interrupted run has cut, of 640 evaluations .*0\.00092 GB"
    ):
        explained(after, checkpoint=path, batch_size=None, memory=900_000)
    assert not after.calls
    result = explained(after, checkpoint=path, batch_size=None, memory=930_000)
    assert set(after.calls[:-1]) == {8}
    assert bits(result) == bits(explained(batch_size=20))


class Threaded(MapNet):
    """Says by how many threads it computes, as torch does."""

    def __init__(self, threads: int, after: int = 99) -> None:
        super().__init__(SHAPE, dtype=np.float32)
        self.threads, self.after = threads, after

    def computed_by(self) -> dict[str, Any]:
        return {"threads": self.threads, "numerics": "1.0"}

    def evaluate(self, *args: Any, **settings: Any) -> np.ndarray:
        if len(self.calls) == self.after:
            raise KeyboardInterrupt("by the keyboard")
        return super().evaluate(*args, **settings)


def test_with_what_tiles_were_made_is_told_of_each_run(tmp_path: Path) -> None:
    path = tmp_path / "cat.tiles"
    for threads, after in ((1, 2), (4, 3)):
        with pytest.raises(KeyboardInterrupt, match="by the keyboard"):
            explained(Threaded(threads, after), checkpoint=path)
    result = explained(Threaded(2), checkpoint=path)
    assert result.notes[-1] == (
        "2 of 14 tiles were made with 1 thread an evaluation, 3 with 4 threads an evaluation, the rest with 2 threads "
        "an evaluation: values agree to rounding, not to the bit."
    )
    assert not any("tiles were made" in note for note in explained(Threaded(2)).notes)


@pytest.mark.parametrize(
    "wrong",
    [
        (np.zeros((4, 2)), np.zeros((4, 3)), np.array(16)),
        (np.zeros((3, 2)), np.zeros((3, 2)), np.array(16)),
        (np.zeros((4, 2), int), np.zeros((4, 2)), np.array(16)),
        (np.zeros((4, 2)), np.zeros((4, 2)), np.array(0)),
        (np.zeros((4, 2)), np.zeros((4, 2)), np.array([16])),
        (np.zeros((4, 2)), np.zeros((4, 2))),
    ],
)
@pytest.mark.parametrize("number", [2, 14])
def test_a_tile_that_cannot_be_of_the_run_is_made_anew(stopped: Path, wrong: Any, number: int) -> None:
    with open(stopped, "ab") as file:
        file.write(packed(TILE, number, 0, array_bytes(wrong)))
    net = MapNet(SHAPE, dtype=np.float32)
    assert bits(explained(net, checkpoint=stopped)) == bits(explained())
    assert len(net.calls) == TILES - 5 + (number == 2)


def test_a_batch_that_was_halved_stays_so(tmp_path: Path) -> None:
    path, net = tmp_path / "cat.tiles", Interrupted(after=5)
    net.room = 10
    with pytest.raises(KeyboardInterrupt, match="by the keyboard"):
        explained(net, checkpoint=path)
    after = MapNet(SHAPE, dtype=np.float32)
    result = explained(after, checkpoint=path)
    assert set(after.batches) == {8}
    assert bits(result) == bits(explained(batch_size=8))


@pytest.mark.parametrize(("first", "second", "rest"), [(64, None, [26, 4]), (None, 64, [4] * 13), (64, 640, [26, 4])])
def test_tiles_stay_as_large_as_the_first_run_made_them(
    tmp_path: Path, first: Any, second: Any, rest: list[int]
) -> None:
    """320 evaluations, or 32 of the batches that a net prefers: 4 windows, 26, and all 56 at once."""
    path = tmp_path / "cat.tiles"
    before, after = Interrupted(after=1), MapNet(SHAPE, dtype=np.float32)
    for net, preferred in ((before, first), (after, second)):
        if preferred is not None:
            net.preferred_batch = preferred  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt, match="by the keyboard"):
        explained(before, checkpoint=path)
    told: list[tuple[int, int]] = []
    result = explained(after, checkpoint=path, progress=lambda *done: told.append(done))
    assert after.calls == rest
    assert told[-1] == (WINDOWS, WINDOWS)
    assert bits(result) == bits(explained())


@pytest.mark.parametrize(
    ("other", "match"),
    [
        ({"window": 2}, "window was 3, is 2"),
        ({"samples": 81}, "samples was 80, is 81"),
        ({"stride": 2}, "stride was 1, is 2"),
        ({"seed": 1}, "seed was 0, is 1"),
        ({"units": [0, 1]}, r"units was \[\[0\], \[2\]\], is \[\[0\], \[1\]\]"),
        ({"against": 1}, r"against was null, is \[1\]"),
        ({"blob": "scores"}, 'blob was "prob", is "scores"; measure was "evidence", is "activation"'),
        ({"measure": "activation"}, 'measure was "evidence", is "activation"'),
        ({"training_instances": 9}, "training_instances was 10000, is 9"),
        ({"image": photo(SHAPE, 2)}, "pixels was "),
    ],
)
def test_other_settings_are_named_and_nothing_is_lost(stopped: Path, other: dict[str, Any], match: str) -> None:
    before, net = stopped.read_bytes(), MapNet(SHAPE, dtype=np.float32)
    with pytest.raises(ExplanationError, match=f"cat.tiles: tiles of a run with other settings .{match}"):
        explained(net, checkpoint=stopped, **other)
    assert net.calls == []
    assert stopped.read_bytes() == before


def test_another_sampler_and_another_net_are_named(stopped: Path) -> None:
    class Other(NormalSampler):
        pass

    class Named(MapNet):
        name = "another"

    with pytest.raises(ExplanationError, match='sampler was "NormalSampler", is "Other"'):
        explained(checkpoint=stopped, sampler=Other())
    with pytest.raises(ExplanationError, match='engine was "numpy", is "another"'):
        explained(Named(SHAPE, dtype=np.float32), checkpoint=stopped)


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "cat.jpg"
    path.write_bytes(b"\xff\xd8 a picture")
    with pytest.raises(ExplanationError, match="should hold finished tiles, but is something else"):
        explained(checkpoint=path)
    assert path.read_bytes() == b"\xff\xd8 a picture"


def test_without_a_checkpoint_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    explained()
    assert list(tmp_path.iterdir()) == []
