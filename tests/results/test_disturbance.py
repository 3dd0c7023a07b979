"""Processes judged by each other: one that was slow throughout shows beside the others."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cmx_bench.measures import conditions
from cmx_bench.results import disturbance
from cmx_bench.results.records import Record

FAST, SLOW = 200e-6, 400e-6


def process(replicate: int, probes: Sequence[float], setting: str = "s") -> Record:
    """A record as a process makes it: judged by its own probes, two blocks each slower."""
    readings = [{"probe": one} for one in (probes[0], *probes)]
    samples = [40.0 if one == FAST else 25.0 for one in probes]
    found = conditions.judged("throughput", samples, conditions.covariates(readings))
    return Record(f"net/throughput/{setting}", "net", "throughput", setting, replicate, "ok",
                  found.values, "", "e", "", 1.0, found.covariates, found.discarded)  # fmt: skip


def test_one_that_was_slow_throughout_finds_nothing_amiss_alone() -> None:
    slow = process(0, [SLOW] * 8)
    assert not disturbance.disturbed(slow)
    (alone,) = disturbance.judged_together([slow])
    assert not disturbance.disturbed(alone)
    assert alone.values == slow.values


def test_beside_others_it_is_disturbed_and_does_not_count() -> None:
    found = [process(number, [FAST] * 8) for number in range(3)] + [process(3, [SLOW] * 8)]
    judged = disturbance.judged_together(found)
    assert [disturbance.disturbed(one) for one in judged] == [False, False, False, True]
    assert disturbance.counting(judged) == judged[:3]
    assert judged[3].values == {"throughput": [25.0] * 8}  # what it measured stays


def test_blocks_keep_their_samples_whoever_judges() -> None:
    calm = [SLOW] * 4 + [FAST] * 5
    half = process(0, calm)
    judged, *_ = disturbance.judged_together([half, process(1, [FAST] * 8)])
    assert judged.values["throughput"] == [40.0] * 4
    assert judged.discarded["throughput"] == [25.0] * 4 + [40.0]  # its probe before was slow
    assert not disturbance.disturbed(judged)


def test_settings_have_bars_of_their_own() -> None:
    found = [process(n, [FAST] * 8) for n in range(3)]
    found += [process(n, [SLOW] * 8, "two threads") for n in range(3)]
    assert not any(map(disturbance.disturbed, disturbance.judged_together(found)))


def test_too_few_undisturbed_count_no_more_than_the_others() -> None:
    found = [process(n, [FAST] * 8) for n in range(2)] + [process(2, [SLOW] * 8)]
    judged = disturbance.judged_together(found)
    assert disturbance.counting(judged) == judged


def test_what_nobody_watched_stays_as_it_is() -> None:
    plain = Record("net/params/r8", "net", "params", "r8", 0, "ok", {"params": [3]}, "", "e", "", 1)
    failed = Record("net/latency/s", "net", "latency", "s", 0, "failed", {}, "died", "e", "", 1)
    assert disturbance.judged_together([plain, failed]) == [plain, failed]


@pytest.mark.parametrize(
    ("probes", "bar"), [([3, 1, 2, 5], 3), ([2, 1], 1), ([], None), ([*range(100, 0, -1)], 6)]
)
def test_a_few_fast_probes_set_no_bar(probes: list[float], bar: float | None) -> None:
    assert conditions.bar(probes) == bar
