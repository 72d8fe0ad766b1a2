"""Which nets the figures show, what becomes of their images, and what stands in for those that are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from helpers.engines import ENGINES, needed

from predicdiff.errors import DownloadError, SettingsError, WeightsError
from predicdiff.nets.fetching import manifest

pytestmark = needed

#: Nets of the paper, and what stands in for one of them.
NAMES = ("alexnet", "squeezenet1.1", "googlenet", "vgg16")


@pytest.fixture
def nets(module: Callable[[str], Any]) -> Any:
    return module("nets")


@pytest.fixture
def choice(nets: Any) -> Callable[..., Any]:
    """What was chosen, with the engine that is installed."""
    return lambda *names, **how: nets.Choice(names, **{"engine": ENGINES[0], **how})


@pytest.fixture
def having(tiny: Path, nets: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, str]]]:
    """Let the nets of the paper be the tiny one; only those that are told can be had.

    What is given are the hosts found to be away, as each call that fetches was told of them.
    """
    models = tiny / "models"
    text = (models / "manifest.toml").read_text()
    tables = (text.replace("[tiny]", f'["{name}"]').replace("[tiny.", f'["{name}".') for name in NAMES)
    (models / "manifest.toml").write_text("".join(tables))
    manifest.manifest.cache_clear()

    def having(*there: str) -> list[dict[str, str]]:
        asked: list[dict[str, str]] = []

        def fetch_net(name: str, *, unreachable: dict[str, str]) -> None:
            asked.append(unreachable)
            if name not in there:
                raise DownloadError(f"{name}: no host gave the file.\nMore of it.")

        monkeypatch.setattr(nets, "fetch_net", fetch_net)
        return asked

    return having


def less_the_mean(image: np.ndarray, mean: tuple[int, int, int], size: int) -> np.ndarray:
    """BGR minus the mean, of an image as large as the net's input."""
    assert image.shape == (size, size, 3)
    return np.stack([image[..., 2 - colour] - np.float32(mean[colour]) for colour in range(3)])


def test_weights_of_a_known_net_leave_it_its_mean_and_labels(tiny: Path, choice: Any, data: Path) -> None:
    (tiny / "cache" / "nets" / "tiny.caffemodel").unlink()
    image = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    weights = data / "tiny_v1.caffemodel"
    net = choice("tiny", weights=weights).load("tiny")
    np.testing.assert_array_equal(net.preprocess(image), less_the_mean(image, (104, 117, 123), 24))
    assert (net.labels, net.training_instances) == (["cat", "dog", "cow", "hen", "pig"], 77)
    other = choice("tiny", weights=weights, mean="1,2,3").load("tiny")
    np.testing.assert_array_equal(other.preprocess(image), less_the_mean(image, (1, 2, 3), 24))
    assert other.labels == net.labels


def test_real_weights_by_the_nets_name(choice: Any, shared: Path) -> None:
    weights = shared / "nets" / "squeezenet_v1.1.caffemodel"
    net = choice("squeezenet1.1", weights=weights).load("squeezenet1.1")
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    corner = (256 - 227) // 2
    seen = image[corner : corner + 227, corner : corner + 227]
    np.testing.assert_array_equal(net.preprocess(image), less_the_mean(seen, (104, 117, 123), 227))
    rows = (shared / "nets" / "ilsvrc12_labels.tsv").read_text(encoding="utf-8").splitlines()
    names = dict(row.split("\t")[::2] for row in rows)
    assert net.labels == [names[str(number)] for number in range(1000)]


def test_a_deploy_prototxt_gets_its_weights_mean_and_engine(nets: Any, choice: Any, data: Path) -> None:
    asked = choice(str(data / "tiny_v1.prototxt"), weights=data / "tiny_v1.caffemodel", mean="104,117,123")
    loaded, note = nets.nets(asked)
    (net,) = loaded.values()
    assert (list(loaded), note, net.labels) == (["tiny_v1"], "", None)
    assert net.provenance["engine"] == ENGINES[0]
    assert list(net.preprocessing.mean) == [104, 117, 123]


def test_weights_and_a_mean_are_those_of_one_net(nets: Any, choice: Any, data: Path) -> None:
    nets.check(choice("one", mean="0,0,0"))
    with pytest.raises(SettingsError, match=r"--weights and --mean belong to one net: want one --net with them, not 2"):
        nets.check(choice("one", "two", weights=data / "tiny_v1.caffemodel", mean="0,0,0"))
    with pytest.raises(SettingsError, match=r"--mean belong.* not 0"):
        nets.check(choice(mean="0,0,0"))


@pytest.mark.parametrize(
    ("there", "titles", "note"),
    [
        (NAMES, ["AlexNet", "GoogLeNet", "VGG16"], ""),
        (
            ("squeezenet1.1", "googlenet"),
            ["SqueezeNet 1.1", "GoogLeNet"],
            "SqueezeNet 1.1 stands in for AlexNet, whose weights could not be had. "
            "Without VGG16, whose weights could not be had.",
        ),
        (("googlenet",), ["GoogLeNet"], "Without AlexNet and VGG16, whose weights could not be had."),
    ],
)
def test_what_stands_in_for_a_net_that_cannot_be_had(
    there: tuple[str, ...], titles: list[str], note: str, nets: Any, choice: Any, having: Any
) -> None:
    asked = having(*there)
    loaded, said = nets.nets(choice())
    assert (list(loaded), said) == (titles, note)
    assert all(away is asked[0] for away in asked)


def test_nothing_can_be_had(nets: Any, choice: Any, having: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = having()
    with pytest.raises(WeightsError, match=r"is no Caffe net. Get them with `predicdiff fetch alexnet`"):
        nets.nets(choice(engine="caffe"), ("alexnet",))
    monkeypatch.setattr(nets.Choice, "load", lambda _, name: name)
    note = "EfficientNet-Lite0 stands in for AlexNet, GoogLeNet, VGG16, whose weights could not be had."
    assert nets.nets(choice(engine="torch")) == ({"EfficientNet-Lite0": "efficientnet_lite0"}, note)
    assert all(away is asked[-1] for away in asked[-4:])
