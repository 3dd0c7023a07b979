"""The learning rate against values by hand."""

from __future__ import annotations

import pytest

from cmx_bench.spec.recipe import Schedule
from cmx_bench.training.schedule import share


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (0.0, 0.0), (0.1, 0.25), (0.2, 0.5), (0.4, 1.0), (0.6, 0.525), (0.8, 0.05), (0.9, 0.025),
        (1.0, 0.0),
    ],
)  # fmt: skip
def test_one_cycle_has_the_authors_corners(progress: float, expected: float) -> None:
    assert share(Schedule(), progress) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("warmup", "progress", "expected"),
    [(0, 0.0, 1.0), (0, 0.5, 0.5), (0, 1.0, 0.0), (0.2, 0.1, 0.5), (0.2, 0.6, 0.5), (1, 1.0, 1.0)],
)
def test_a_cosine_falls_after_its_warmup(warmup: float, progress: float, expected: float) -> None:
    assert share(Schedule(name="cosine", warmup=warmup), progress) == pytest.approx(expected)


@pytest.mark.parametrize(("progress", "expected"), [(0.05, 0.5), (0.1, 1.0), (1.0, 1.0)])
def test_a_constant_rate_stays(progress: float, expected: float) -> None:
    assert share(Schedule(name="constant", warmup=0.1), progress) == pytest.approx(expected)
