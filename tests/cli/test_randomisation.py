"""`predicdiff randomisation`."""

from __future__ import annotations

from helpers.engines import needed

pytestmark = needed


def test_randomisation_tells_its_verdict(cli, net, few):
    result = cli("randomisation", few, *net, "--method", "sensitivity", "-k", "6x10", "-q")
    assert result.exit_code == 0, result.output
    assert "random layers" in result.output
    assert "| 4 of 4 | conv1 |" in result.output
