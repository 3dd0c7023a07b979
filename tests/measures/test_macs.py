"""MACs and activations of a ConvMixer, by arithmetic."""

from __future__ import annotations

from .test_measures import measure


def test_macs() -> None:
    n = 8 * 8
    assert measure("macs") == {
        "macs": [n * 16 * 3 * 49 + 2 * (n * 16 * 25 + n * 16 * 16) + 160],
        "activations": [n * 16 * 5 + 10],
    }
