"""Blocks by hand, and the error of their median."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from cmx_bench.gate import blocks
from cmx_bench.gate.blocks import Block


def block(log_ratio: float) -> Block:
    head = 0.02 * math.exp(log_ratio)
    return Block(True, (0.02, 0.02), (head, head))


def test_a_block_cancels_steady_drift() -> None:
    """Turns of 1, 2, 3, 4: the logarithms of the outer and of the inner two."""
    turns = Block(True, (1.0, 4.0), (2.0, 3.0))
    assert turns.log_ratio == pytest.approx(0.2027, abs=1e-4)
    assert Block(False, (2.0, 3.0), (1.0, 4.0)).log_ratio == pytest.approx(-0.2027, abs=1e-4)


def test_a_block_side_by_side_cancels_a_slower_core() -> None:
    """One core takes a third longer for whoever is on it."""
    swapped = Block(True, (3.0, 4.0), (4.0, 3.0), together=True)
    assert swapped.log_ratio == pytest.approx(0.0)


def test_the_error_is_that_of_medians() -> None:
    rng = random.Random(2)
    drawn = [[block(rng.gauss(0, 0.01)) for _ in range(15)] for _ in range(1000)]
    medians = [statistics.median(block.log_ratio for block in each) for each in drawn]
    mean_error = statistics.fmean(map(blocks.error, drawn))
    assert mean_error == pytest.approx(statistics.stdev(medians), rel=0.1)
