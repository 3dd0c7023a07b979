"""How long is fuzzed: some seconds with the other tests, the same each time; by `tox run -e fuzz`
many more of each, never the same, where an answer that takes over five seconds fails too. What
fails is printed at its smallest.
"""

from __future__ import annotations

import os
from datetime import timedelta

from hypothesis import HealthCheck, settings

_ALWAYS = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("short", _ALWAYS, max_examples=20, derandomize=True, database=None)
settings.register_profile(
    "long",
    _ALWAYS,
    max_examples=int(os.environ.get("CMX_FUZZ", "3000")),
    deadline=timedelta(seconds=5),
)
settings.load_profile("long" if "CMX_FUZZ" in os.environ else "short")
