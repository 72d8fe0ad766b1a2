"""`predicdiff faithfulness`."""

from __future__ import annotations

import json

from helpers.engines import needed

from predicdiff.images import load_image
from predicdiff.judging.faithfulness import faithfulness
from predicdiff.samplers.corpus import read_folder
from predicdiff.samplers.gaussian import GaussianSampler

pytestmark = needed


def test_faithfulness_as_from_python(cli, net, model, few, folder, tmp_path):
    settings = {"window": (6, 4), "samples": 1, "stride": 4, "steps": 4, "block": 6, "blob": "fc"}
    options = ["-k", "6x4", "-S", 1, "--stride", 4, "--steps", 4, "--block", 6, "--blob", "fc", "--corpus", folder]
    result = cli("faithfulness", few, *net, *options, "-o", "f.png", "-q")
    assert result.exit_code == 0, result.output
    arrays, names, _ = read_folder(few, model.view)
    corpus, corpus_names, _ = read_folder(folder, model.view)
    sampler = GaussianSampler.fit(corpus, context=(10, 8), seed=0, names=corpus_names)
    expected = faithfulness(model, dict(zip(names, arrays)), sampler=sampler, **settings)
    assert expected.table() in result.output
    assert json.loads((tmp_path / "f.json").read_text())["settings"]["steps"] == 4
    assert load_image(tmp_path / "f.png").shape[2] == 3


def test_scores_are_said_by_their_blob(refused, net, model, few):
    told = refused("faithfulness", few, *net, "--blob", "conv2a")
    assert "blob 'conv2a' holds no classes: want 'fc' or 'prob'." in told
