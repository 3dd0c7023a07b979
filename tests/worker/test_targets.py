"""Functions named by strings are there; the server that forks preloads what cells need."""

from __future__ import annotations

import pytest

from cmx_bench.measures import MEASURES
from cmx_bench.worker import local
from cmx_bench.worker.targets import Target


@pytest.mark.parametrize("target", Target)
def test_each_target_is_a_function(target: Target) -> None:
    assert callable(local.function(target))


def test_the_preload_is_whole() -> None:
    """multiprocessing passes over a preload that fails to import, and every process pays for it."""
    loaded = local.call("builtins:eval", "list(__import__('sys').modules)")
    measures = {
        f"cmx_bench.measures.{name}" for name, info in MEASURES.items() if not info.together
    }
    assert measures | {"cmx_bench.worker.turns", "cmx_bench.plan.making"} <= set(loaded)
