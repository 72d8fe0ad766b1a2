"""What is sent to workers: nets by what they were made of, batches as small as memory needs them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.engines import ENGINES, needed
from helpers.oracle_nets import NormalSampler, analysis
from helpers.places import DATA

from predicdiff.algorithm import run
from predicdiff.executors.spread import Sizes, Spread
from predicdiff.nets.recipes import Recipe
from predicdiff.nets.zoo import load_net
from predicdiff.workers.processes import Processes
from predicdiff.workers.protocol import Parcel


def test_a_batch_is_halved_from_the_second_loss_on_where_none_of_its_size_was_finished() -> None:
    sizes = Sizes(16)
    assert [sizes.after(lost) for lost in range(8)] == [16, 16, 8, 4, 2, 1, 1, 1]
    sizes.served(4)
    assert [sizes.after(lost) for lost in range(7)] == [4, 4, 4, 4, 2, 1, 1], "the next set out with what served"


def test_a_batch_that_served_is_blamed_late_and_not_given_up_for_one_tile() -> None:
    sizes = Sizes(16)
    sizes.served(16)
    sizes.served(4)
    assert [sizes.after(lost) for lost in range(6)] == [16, 16, 16, 16, 8, 4]


class Told(Processes):
    """Says what was sent."""

    def __init__(self) -> None:
        super().__init__(2)
        self.things: list[Any] = []

    def send(self, thing: Any) -> Parcel:
        self.things.append(thing)
        return super().send(thing)


@pytest.mark.parametrize("there", [True, False], ids=["files there", "files gone"])
@needed
def test_a_net_is_sent_whole_only_where_its_files_are_not(there: bool, tmp_path: Path) -> None:
    prototxt, weights = (Path(shutil.copy(DATA / f"tiny_v1.{end}", tmp_path)) for end in ("prototxt", "caffemodel"))
    net, workers = load_net(prototxt, weights=weights, engine=ENGINES[0]), Told()
    image = np.random.default_rng(0).uniform(0, 255, net.input_shape).astype(np.float32)
    if not there:
        weights.unlink()

    def planned() -> Any:
        return analysis(net, image, NormalSampler(), window=6, samples=8, stride=6, units=[0])

    try:
        result = run(planned(), batch_size=16, executor=Spread(workers))
    finally:
        workers.close()
    assert any(isinstance(thing, Recipe) for thing in workers.things)
    assert (net in workers.things) is not there
    assert result.relevance.tobytes() == run(planned(), batch_size=16).relevance.tobytes()
