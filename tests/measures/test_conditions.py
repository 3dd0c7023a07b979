"""Conditions: judged by the rule, never by what a block took."""

from __future__ import annotations

import pytest

from cmx_bench.measures import conditions


def test_a_gpus_covariates_are_those_of_both_ends() -> None:
    before = {"gpu_sm_clock": 1e8, "gpu_clock_reasons": 0x41, "gpu_foreign_processes": 0}
    after = {"gpu_sm_clock": 1e9, "gpu_clock_reasons": 0x04, "gpu_foreign_processes": 2}
    assert conditions.covariates([before, after]) == [
        {"gpu_sm_clock": 1e9, "gpu_clock_reasons": 0x45, "gpu_foreign_processes": 2}
    ]


@pytest.mark.parametrize(
    ("covariates", "reasons"),
    [
        ({}, []),
        ({"steal": 0.01}, []),
        ({"steal": 0.05}, ["steal"]),
        ({"throttled": 1e-6}, ["throttling"]),
        ({"thermal_throttles": 1}, ["heat"]),
        ({"core_speed": 0.92}, []),
        ({"core_speed": 0.90}, ["a slowed core"]),
        ({"foreign_load": 0.4}, []),  # two jiffies more or less in a block of 0.1 s
        ({"foreign_load": 1.0}, ["foreign load"]),
        ({"foreign_load": 1.0, "idle_cores": 0.9}, ["foreign load"]),
        ({"foreign_load": 30.0, "idle_cores": 1.0}, []),  # they have a core left
        ({"probe": 5.0, "gpu_sm_clock": 1.0}, []),
        ({"gpu_foreign_processes": 1}, ["foreign GPU processes"]),
        ({"gpu_clock_reasons": 0x01 | 0x02 | 0x04 | 0x10 | 0x100}, []),
        ({"gpu_clock_reasons": 0x08}, ["a GPU held back"]),  # hardware slowdown
        ({"gpu_clock_reasons": 0x20}, ["a GPU held back"]),  # too hot, says the driver
        ({"gpu_clock_reasons": 0x40 | 0x04}, ["a GPU held back"]),  # too hot, says the hardware
        ({"gpu_clock_reasons": 0x80}, ["a GPU held back"]),  # power brake
        ({"core_speed": 0.5, "steal": 0.1}, ["steal", "a slowed core"]),
    ],
)
def test_the_rule(covariates: dict[str, float], reasons: list[str]) -> None:
    assert conditions.reasons(covariates) == reasons
    assert conditions.disturbed(covariates) is bool(reasons)


def probed(*seconds: float) -> list[conditions.Covariates]:
    return conditions.covariates([{"probe": one} for one in seconds])


@pytest.mark.parametrize(
    ("probes", "speeds"),
    [
        ((4.0, 4.0, 2.0, 8.0, 2.0, 2.0), [0.5, 0.5, 0.25, 0.25, 1]),
        ((4.0, 4.0, 2.0, 1.0, 4.0), [1, 1, 1, 1]),  # two lucky probes set no bar
        ((4.0, 2.0), [0.5]),
    ],
)
def test_core_speed_is_of_the_slower_probe_against_the_third_best_of_all(
    probes: tuple[float, ...], speeds: list[float]
) -> None:
    assert [block["core_speed"] for block in probed(*probes)] == speeds


@pytest.mark.parametrize(
    ("speeds", "counted"),
    [
        ([1, 0.5, 1, 1, 0.9], "x-xx-"),
        ([1, 0.5, 1, 0.8, 0.7], "x-xx-"),  # two undisturbed ones: the best of the others fills up
        ([0.5, 0.6, 0.7, 0.8, 0.6], "-xxxx"),  # equals alike, whenever they were taken
        ([0.5, 1], "xx"),
        ([1, 1, 1, 1, 0.5], "xxxx-"),
    ],
)
def test_the_undisturbed_count_and_else_the_least_disturbed(
    speeds: list[float], counted: str
) -> None:
    answer = conditions.kept([{"core_speed": speed} for speed in speeds])
    assert "".join("x" if one else "-" for one in answer) == counted


def test_blocks_that_are_equally_disturbed_all_count() -> None:
    """The first three of them would be biased in time."""
    assert conditions.kept([{"gpu_foreign_processes": 1.0}] * 8) == [True] * 8


def test_discarded_samples_and_their_conditions_are_kept_in_order() -> None:
    blocks = [{"core_speed": speed, "steal": 0.0} for speed in (1, 0.5, 1, 1)]
    del blocks[2]["steal"]
    watched = conditions.judged("throughput", [10.0, 5.0, 11.0, 12.0], blocks)
    assert watched.values == {"throughput": [10, 11, 12]}
    assert watched.discarded == {"throughput": [5]}
    assert watched.covariates == {
        "core_speed": [1, 0.5, 1, 1], "disturbed": [0, 1, 0, 0], "discarded": [0, 1, 0, 0],
    }  # fmt: skip


def test_a_process_that_stays_disturbed_says_so() -> None:
    blocks = [{"core_speed": speed} for speed in (1, 0.5, 0.4, 0.8)]
    watched = conditions.judged("throughput", [1.0, 2.0, 3.0, 4.0], blocks)
    assert watched.values == {"throughput": [1, 2, 4]}
    assert watched.covariates["disturbed"] == [0, 1, 1, 1]
    assert watched.covariates["discarded"] == [0, 0, 1, 0]


def test_the_judgement_is_blind_to_the_samples() -> None:
    blocks = [{"core_speed": speed} for speed in (1, 0.5, 1, 1)]
    for samples in ([1.0, 2, 3, 4], [9.0, 1, 9, 9], [1.0, 9, 1, 1]):
        assert conditions.judged("x", samples, blocks).covariates["discarded"] == [0, 1, 0, 0]
