"""Which environments may be compared."""

from __future__ import annotations

from typing import Any

import pytest

from cmx_bench.results import environment


def test_what_changes_a_timing_is_named(cpu: dict[str, Any]) -> None:
    assert environment.differences(cpu, cpu | {"git_commit": "abc", "os": "other"}) == {}
    assert environment.differences(cpu, cpu | {"threads": 1}) == {"threads": (2, 1)}
    assert environment.differences(cpu, cpu | {"cuda": "13.2"}) == {"cuda": (None, "13.2")}


@pytest.mark.parametrize("change", [{"threads": 1}, {"git_commit": "abc"}])
def test_a_digest_names_one_environment(cpu: dict[str, Any], change: dict[str, Any]) -> None:
    assert environment.digest(cpu) == environment.digest(dict(reversed(cpu.items())))
    assert environment.digest(cpu) != environment.digest(cpu | change)
    assert len(environment.digest(cpu)) == 12
