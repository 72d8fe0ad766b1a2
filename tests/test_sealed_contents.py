"""What is in a result or sampler that was changed and sealed anew: read as it may be, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import h5py
import numpy as np
import pytest
from helpers.sealed import rewritten

from predicdiff.cli.console import say
from predicdiff.cli.show import setting_lines
from predicdiff.errors import ExplanationError, SamplerError
from predicdiff.explanation import Explanation, Target
from predicdiff.files import Kind, _seal, write
from predicdiff.images import Frame
from predicdiff.plotting import figure, save_figure
from predicdiff.samplers.gaussian import GaussianSampler
from predicdiff.samplers.grey import GreyPatch
from predicdiff.samplers.marginal import MarginalSampler
from predicdiff.samplers.registry import load_sampler


def parts() -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays and texts of a result of two targets."""
    arrays = {
        "relevance": np.linspace(-1, 1, 96).reshape(2, 6, 8),
        "stderr": np.full((2, 6, 8), 0.1),
        "base": np.array([0.5, 0.25]),
        "pixels": np.full((3, 6, 8), 100, np.float32),
        "image": np.zeros((12, 16, 3), np.uint8),
        "segments": np.arange(48).reshape(6, 8),
        "interpolation_error": np.zeros((2, 6, 8)),
        "reliability": np.array([0.9, 0.8]),
    }
    texts = {
        "unit": "bits",
        "settings": {"window": 3, "stride": [1, 2], "samples": 4, "region": [0, 0, 6, 8], "until": 0.9},
        "provenance": {"net": {"name": "tiny"}, "sampler": {"kind": "grey"}, "seconds": 1.5, "stages": []},
        "notes": ["a note"],
        "targets": [vars(Target("prob", [3], "cat")), vars(Target("prob", [5], "dog"))],
        "frame": Frame((12, 16), (6, 8), (0, 0), (6, 8)).as_dict(),
    }
    return arrays, texts


def changed(tmp_path: Path, where: str, value: Any) -> Path:
    """A result in which something is another, by where it lies: ``relevance``, or ``settings/window``."""
    arrays, texts = parts()
    if where in arrays:
        del arrays[where]
        (arrays if isinstance(value, np.ndarray) else texts)[where] = value
    else:
        held: Any = texts
        *steps, last = where.split("/")
        for step in steps:
            held = held[int(step) if isinstance(held, list) else step]
        held[last] = value
    write(tmp_path / "r.h5", Kind("explanation", 1, "", ExplanationError), arrays, texts)
    return tmp_path / "r.h5"


def test_the_result_is_one_and_what_newer_releases_add_is_passed_over(tmp_path: Path) -> None:
    arrays, texts = parts()
    texts.update(more={"a": 1})
    texts["targets"][0]["colour"] = "red"
    texts["frame"]["turned"] = 90
    arrays["further"] = np.ones(3)
    write(tmp_path / "r.h5", Kind("explanation", 1, "", ExplanationError), arrays, texts)
    loaded = Explanation.load(tmp_path / "r.h5")
    assert [target.name for target in loaded.targets] == ["cat", "dog"]
    assert loaded.frame == Frame((12, 16), (6, 8), (0, 0), (6, 8))


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (
            "relevance",
            np.ones((3, 6, 8)),
            r"relevance is float64 \(3, 6, 8\), want .* \(2, any, any\)",
        ),
        ("relevance", np.ones((2, 6, 8), complex), "/relevance: holds complex128"),
        ("relevance", np.full((2, 6, 8), 1e200), r"relevance holds 1e\+200, want numbers"),
        ("pixels", np.full((3, 6, 8), np.inf), "pixels holds inf, want numbers"),
        ("relevance", np.ones((2, 6, 0)), r"relevance is float64 \(2, 6, 0\)"),
        ("stderr", np.ones((2, 6, 7)), r"stderr is float64 \(2, 6, 7\)"),
        ("stderr", np.full((2, 6, 8), -1.0), "stderr holds -1, want numbers from 0"),
        ("base", np.ones((2, 1)), r"base is float64 \(2, 1\)"),
        ("pixels", np.ones((6, 8)), r"pixels is float64 \(6, 8\)"),
        ("image", np.zeros((12, 16, 4), np.uint8), r"image is uint8 \(12, 16, 4\)"),
        ("image", np.zeros((12, 16, 3), np.uint16), "the frame does not lie in the image"),
        ("segments", np.zeros((6, 8)), "segments is float64"),
        ("reliability", np.array([0.5]), r"reliability is float64 \(1,\)"),
        ("reliability", "high", "reliability is high, want an array"),
        ("unit", "grams", "unit is grams, want bits or activation"),
        ("unit", [], r"unit is \[\], want bits or activation"),
        ("notes", "one", "notes is one, want a list of texts"),
        ("notes", [1], r"notes is \[1\], want a list of texts"),
        ("targets", [], "it has no targets"),
        ("targets", [3, 4], "target 0 is 3, want a dict"),
        ("targets/1/name", 7, "target 1: name is 7, want a text"),
        ("targets/1/unit", [True], r"target 1: unit is \[True\], want a list of whole numbers"),
        ("settings", [], r"settings is \[\], want a dict"),
        ("provenance", "mine", "provenance is mine, want a dict"),
        ("frame/corner", [5, 0], "the frame does not lie in the image"),
        (
            "frame/original",
            [10**6, 10**6],
            r"image is uint8 \(12, 16, 3\), want .* \(1000000, 1000000",
        ),
    ],
)
def test_a_part_that_is_no_such_part_is_named(tmp_path: Path, where: str, value: Any, said: str) -> None:
    with pytest.raises(ExplanationError, match=rf"r\.h5: {said}"):
        Explanation.load(changed(tmp_path, where, value))


def test_a_version_is_a_number(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file.attrs["format"], file.attrs["version"] = "predicdiff explanation", "9" * 3000
    content = (tmp_path / "plain.h5").read_bytes()
    (tmp_path / "r.h5").write_bytes(content + _seal(content))
    with pytest.raises(ExplanationError, match=r"r\.h5: its version is 9+\S*, want a whole number"):
        Explanation.load(tmp_path / "r.h5")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"x": ' + "[" * 100 + "]" * 100 + "}", "a text in it holds lists in lists, more than 100 deep"),
        ('{"x": ' + "[" * 10**5 + "]" * 10**5 + "}", "a text in it holds lists in lists, more than 100 deep"),
        ('{"x": "a' + "[" * 10**5 + "}", "a text in it is no JSON"),
        ('{"x": 1' + "0" * 4000 + "}", "a text in it is no JSON"),
    ],
    ids=["deep", "very deep", "in a text without its end", "a long number"],
)
def test_texts_are_bounded(tmp_path: Path, text: str, said: str) -> None:
    path = changed(tmp_path, "unit", "bits")
    rewritten(path, lambda file: file["provenance"].write_direct(np.array(text, h5py.string_dtype())))
    with pytest.raises(ExplanationError, match=rf"r\.h5: {said}"):
        Explanation.load(path)


@pytest.mark.parametrize(
    ("where", "value", "line"),
    [
        ("settings/window", [1, 2, 3], "windows [1, 2, 3], stride 1 x 2"),
        ("settings/until", "much", "refined until much: 0 stages"),
        ("settings/samples", "\x1b[2J", r"draws \x1b[2J each, seed None"),
        ("settings/region", "left\nright", r"region left\nright"),
        ("settings/segments", [3], "segments [3]"),
        ("provenance/net", "tiny", "net tiny"),
        ("provenance/net/name", ["\x1b[2J"], r"net name ['\x1b[2J']"),
        ("provenance/net/preprocessing", 7, "preprocessing 7"),
        ("provenance/sampler/kind", {"a": 3}, "sampler kind (a 3)"),
        ("provenance/sampler/context", "wide", "sampler kind grey, context wide"),
        ("provenance/seconds", float("nan"), "took nan, batches of None"),
        (
            "provenance/windows_before",
            [1],
            "took a few seconds after [1] windows of an interrupted run, batches of None",
        ),
        ("provenance/stages", 3, "refined until 0.9: 3 stages"),
        ("provenance/versions", ["1"], "versions ['1']"),
    ],
)
def test_settings_that_are_others_are_shown_as_they_are(
    capsys: Any, tmp_path: Path, where: str, value: Any, line: str
) -> None:
    explanation = Explanation.load(changed(tmp_path, where, value))
    say(*setting_lines(explanation))
    assert line in [" ".join(told.split()) for told in capsys.readouterr().out.splitlines()]
    assert repr(explanation).isprintable()
    figure(explanation)


@pytest.mark.parametrize(
    ("kind", "arrays", "texts", "said"),
    [
        (GreyPatch, {}, {"value": {"a": 1}}, "grey = .*: want a number"),
        (MarginalSampler, {"images": np.ones((2, 1, 4, 4))}, {"names": 7, "choice": "random"}, "names = 7: want"),
        (MarginalSampler, {"images": np.ones((2, 1, 4, 4), complex)}, {"names": None, "choice": "first"}, "images"),
        (GaussianSampler, {"mean": np.ones((1, 2, 2)), "covariance": np.eye(4)[None]},
         {"clip": [3], "jitter": 0.0, "fitted_on": {}}, "clip"),
        (GaussianSampler, {"mean": np.ones((1, 2, 2)), "covariance": np.eye(4)[None]},
         {"clip": None, "jitter": 0.0, "fitted_on": [3]}, "fitted_on"),
        (GaussianSampler, {"mean": np.full((1, 2, 2), -1e308), "covariance": np.eye(4)[None]},
         {"clip": [0.0, 1.0], "jitter": 0.0, "fitted_on": {}}, r"the mean's values reach 1e\+308: want at most 1e\+30"),
        (MarginalSampler, {"images": np.full((2, 1, 4, 4), 1e300)}, {"names": None, "choice": "first"}, "not finite"),
        (GaussianSampler, {"mean": np.ones((1, 2, 2)), "covariance": np.eye(4)[None]},
         {"clip": [0.0, 1.0], "jitter": None, "fitted_on": {}}, "jitter"),
    ],
)  # fmt: skip
def test_samplers_of_other_parts_are_refused(tmp_path: Path, kind: Any, arrays: Any, texts: Any, said: str) -> None:
    write(tmp_path / "s.h5", kind.file, arrays, texts)
    with pytest.raises(SamplerError, match=rf"s\.h5: .*{said}"):
        load_sampler(tmp_path / "s.h5")


@pytest.mark.parametrize(
    "name", ["caf\udce9", "a\ufffe\uffffb", "x]]>y<&\"'", "\u202eabc\u2066", "a\0b\x1b[2J\x85\r", "\U0001fffe $\\frac{"]
)
def test_a_drawing_is_xml_whatever_a_result_names(tmp_path: Path, name: str) -> None:
    explanation = Explanation.load(changed(tmp_path, "targets/0/name", name))
    drawn = save_figure(figure(explanation, title=name), tmp_path / "map.svg")
    ElementTree.parse(drawn)
