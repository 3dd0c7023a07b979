"""The fixtures of the report's tests; figures of pyplot are closed after each."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib
import pytest

from ..report.conftest import run, run_records

__all__ = ["figures_closed", "run", "run_records"]
matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def figures_closed() -> Iterator[None]:
    yield
    from matplotlib import pyplot

    pyplot.close("all")
