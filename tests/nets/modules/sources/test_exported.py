"""Exported programs: what the net gives is what the module gave before it was exported."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from predicdiff.errors import FormatError, InputWarning, SettingsError
from predicdiff.nets.zoo import load_net

SHAPE = (3, 8, 7)


def module(end: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), end, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)).eval()


def export(path: Path, end: nn.Module, *, count: int, dynamic: bool) -> Path:
    """Write a program for so many images, or any number."""
    shapes = ({0: torch.export.Dim("N")},) if dynamic else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch warns its own code of
        torch.export.save(torch.export.export(module(end), (torch.zeros(count, *SHAPE),), dynamic_shapes=shapes), path)
    return path


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("programs") / "many.pt2", nn.ReLU(), count=2, dynamic=True)


def inputs() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, *SHAPE)).astype(np.float32)


def test_it_gives_what_the_module_gave(many: Path) -> None:
    net: Any = load_net(many, device="cpu")
    assert (net.name, net.input_shape) == ("many", SHAPE)
    wanted = module(nn.ReLU())(torch.from_numpy(inputs())).detach().numpy()
    np.testing.assert_allclose(net.forward(inputs(), ["logits"])["logits"], wanted, atol=1e-5)
    assert net.evaluation("prob") == "dense, since it is an exported program, whose operations are not told apart"
    x = torch.from_numpy(inputs()[0]).requires_grad_()
    module(nn.ReLU())(x[None])[0, 2].backward()
    np.testing.assert_allclose(net.gradient(inputs()[0], blob="logits", unit=2), x.grad.numpy(), atol=1e-5)


def test_one_of_a_single_image_is_given_one_at_a_time(tmp_path: Path) -> None:
    path = export(tmp_path / "one.pt2", nn.ReLU(), count=1, dynamic=False)
    with pytest.warns(InputWarning, match="It takes one, so each image is computed alone"):
        net: Any = load_net(path, device="cpu")
    assert net.alone
    wanted = module(nn.ReLU())(torch.from_numpy(inputs())).detach().numpy()
    np.testing.assert_allclose(net.forward(inputs(), ["logits"])["logits"], wanted, atol=1e-5)


def test_another_program_with_the_same_weights_is_another_net(many: Path, tmp_path: Path) -> None:
    """Resuming is refused where only what stands between the weights has changed."""
    other = export(tmp_path / "many.pt2", nn.ELU(), count=2, dynamic=True)
    one, two = (load_net(path, device="cpu").provenance for path in (many, other))
    assert one["weights"] == two["weights"]
    assert one["definition"] != two["definition"]


def test_it_is_pickled_with_its_files_path(many: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    path.write_bytes(many.read_bytes())
    pickled = pickle.dumps(load_net(path, device="cpu"))
    again: Any = pickle.loads(pickled)
    assert again.provenance == load_net(path, device="cpu").provenance
    export(path, nn.ELU(), count=2, dynamic=True)
    with pytest.raises(FormatError, match=r"net\.pt2 has changed since the net was pickled"):
        pickle.loads(pickled)


def test_what_holds_no_program_is_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.pt2").write_bytes(b"junk" * 20)
    with pytest.raises(FormatError, match=r"bad\.pt2: cannot be read as an exported program \(BadZipFile: File is"):
        load_net(tmp_path / "bad.pt2")
    with pytest.raises(FormatError, match=r"none\.pt2: no such file"):
        load_net(tmp_path / "none.pt2")
    torch.save(module(nn.ReLU()).state_dict(), tmp_path / "w.pth")
    with pytest.raises(
        SettingsError, match=r"w\.pth holds weights, but not what is computed with them: .*net\.py:FUNC"
    ):
        load_net(tmp_path / "w.pth")
    assert capfd.readouterr() == ("", "")


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:.*torch.jit:FutureWarning")
def test_torchscript_is_refused(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(module(nn.ReLU())), tmp_path / "net.pt")
    with pytest.raises(SettingsError, match=r"net\.pt is TorchScript, which is not taken: want the module that it was"):
        load_net(tmp_path / "net.pt")
