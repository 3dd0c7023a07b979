"""Which environments may be compared."""

from __future__ import annotations

from typing import Any

import pytest

from cmx_bench.results import environment


def test_what_changes_a_timing_is_named(cpu: dict[str, Any]) -> None:
    assert environment.differences(cpu, cpu | {"git_commit": "abc", "os": "other"}) == {}
    assert environment.differences(cpu, cpu | {"threads": 1}) == {"threads": (2, 1)}
    assert environment.differences(cpu, cpu | {"cuda": "13.2"}) == {"cuda": (None, "13.2")}


@pytest.mark.parametrize(
    ("field", "values"),
    [("power_limit_w", (350.0, 700.0)), ("max_sm_clock_hz", (1_980_000_000, 1_755_000_000)),
     ("cpu", ("A Xeon", "An EPYC")), ("CUDA_MODULE_LOADING", (None, "EAGER"))],
)  # fmt: skip
def test_gpus_under_other_limits_or_beside_other_cpus_are_not_compared(
    gpu: dict[str, Any], field: str, values: tuple[object, object]
) -> None:
    one, other = ({**gpu, field: value} for value in values)
    assert environment.differences(one, other) == {field: values}


@pytest.mark.parametrize("change", [{"threads": 1}, {"git_commit": "abc"}])
def test_a_digest_names_one_environment(cpu: dict[str, Any], change: dict[str, Any]) -> None:
    assert environment.digest(cpu) == environment.digest(dict(reversed(cpu.items())))
    assert environment.digest(cpu) != environment.digest(cpu | change)
    assert len(environment.digest(cpu)) == 12
