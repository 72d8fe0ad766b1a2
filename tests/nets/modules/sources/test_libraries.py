"""What doors of other libraries share: nothing is waited for, and nothing said besides the one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from predicdiff.errors import DownloadError
from predicdiff.nets.zoo import load_net

pytest.importorskip("torch")


@pytest.mark.parametrize(("library", "source"), [("transformers", "hf:some/net"), ("timm", "timm:test_resnet")])
def test_without_a_network_nothing_is_waited_for_and_nothing_else_is_said(
    library: str,
    source: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip(library)
    constants = pytest.importorskip("huggingface_hub").constants
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("predicdiff.nets.modules.sources.libraries._answers", lambda *of_hub: False)
    with pytest.raises(DownloadError, match=rf"^{source} is not on this machine, .* --weights FILE\)\.$"):
        load_net(source)
    assert capfd.readouterr() == ("", "")
    assert constants.HF_HUB_OFFLINE is False
