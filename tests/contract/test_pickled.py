"""Nets, samplers and results that are pickled, as another process gets them, and come back."""

from __future__ import annotations

import pickle

import numpy as np
from helpers.contract_nets import Held
from helpers.same import assert_same

import predicdiff as pd


def test_they_give_the_same_map(held: Held) -> None:
    net, sampler = pickle.loads(pickle.dumps((held.net, held.sampler)))
    wanted = held.result
    result = pd.explain(net, held.image, sampler, **held.asked)
    for array, other in ((result.relevance, wanted.relevance), (result.stderr, wanted.stderr)):
        np.testing.assert_allclose(array, other, rtol=0, atol=held.rounding(held.net.output))
    assert result.provenance["net"] == wanted.provenance["net"]
    assert_same(pickle.loads(pickle.dumps(wanted)), wanted)
