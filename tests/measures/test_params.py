"""Parameters and buffers, by arithmetic."""

from __future__ import annotations

from .test_measures import measure


def test_params() -> None:
    bn = 2 * 16 * 5  # running mean and variance of five BatchNorms
    assert measure("params") == {
        "params": [16 * (2 * (25 + 16 + 6) + 3 * 49 + 10 + 3) + 10],
        "trainable_params": [16 * (2 * (25 + 16 + 6) + 3 * 49 + 10 + 3) + 10],
        "buffers": [bn + 5],
    }
