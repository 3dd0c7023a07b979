"""How long is fuzzed: some seconds with the other tests, the same each time; by `tox run -e fuzz`
many more of each, never the same. An answer that takes over five seconds of the CPU fails; by the
clock a busy machine would fail it. What fails is printed at its smallest.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

_ALWAYS = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("short", _ALWAYS, max_examples=20, derandomize=True, database=None)
settings.register_profile("long", _ALWAYS, max_examples=int(os.environ.get("CMX_FUZZ", "3000")))
settings.load_profile("long" if "CMX_FUZZ" in os.environ else "short")
_LONGEST = 5.0


@pytest.fixture(autouse=True)
def answers_soon(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each example has so many seconds of the CPU, with those of the processes that it starts."""
    fuzzed = request.function.hypothesis
    inner = fuzzed.inner_test

    @functools.wraps(inner)
    def run_timed(*arguments: Any, **named: Any) -> None:
        begin = sum(os.times()[:4])
        inner(*arguments, **named)
        assert sum(os.times()[:4]) - begin < _LONGEST

    monkeypatch.setattr(fuzzed, "inner_test", run_timed)
