"""Conditions: a block is disturbed where they name a cause and it was slower for it."""

from __future__ import annotations

import os

import pytest

from cmx_bench.measures import Watched, conditions


def test_foreign_load_is_in_cores() -> None:
    """Of 10 s of two cores, 12 s are busy, of which 5 are this process's own."""
    second = os.sysconf("SC_CLK_TCK")
    before = dict.fromkeys(
        ("clock", "jiffies", "stolen_jiffies", "busy_jiffies", "idle_jiffies", "own_seconds"), 0.0
    )
    after = before | {"clock": 10.0, "jiffies": 20.0 * second, "stolen_jiffies": 2.0 * second,
                      "busy_jiffies": 12.0 * second, "idle_jiffies": 6.0 * second,
                      "own_seconds": 5.0}  # fmt: skip
    assert conditions.covariates([before, after]) == [
        {"steal": 0.1, "foreign_load": pytest.approx(0.7), "idle_cores": pytest.approx(0.6)}
    ]


def test_a_gpus_covariates() -> None:
    """Reasons of both ends, counters over the block; the rest as it is at its end."""
    before = {"gpu_sm_clock": 1e8, "gpu_clock_reasons": 0x41, "gpu_foreign_processes": 3,
              "gpu_power_capped": 5.0, "gpu_heat_capped": 2.0, "gpu_temperature": 50}  # fmt: skip
    after = {"gpu_sm_clock": 1e9, "gpu_clock_reasons": 0x04, "gpu_foreign_processes": 2,
             "gpu_power_capped": 5.25, "gpu_heat_capped": 2.0, "gpu_temperature": 60}  # fmt: skip
    assert conditions.covariates([before, after]) == [
        {"gpu_sm_clock": 1e9, "gpu_clock_reasons": 0x45, "gpu_foreign_processes": 2,
         "gpu_power_capped": 0.25, "gpu_heat_capped": 0.0, "gpu_temperature": 60}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("covariates", "reasons"),
    [
        ({}, []),
        ({"steal": 0.01}, []),
        ({"steal": 0.05}, ["steal"]),
        ({"throttled": 1e-6}, ["throttling"]),
        ({"thermal_throttles": 1}, ["heat"]),
        ({"core_speed": 0.96}, []),
        ({"core_speed": 0.95}, ["a slowed core"]),
        ({"foreign_load": 0.2}, []),  # two jiffies more or less in a block of 0.1 s
        ({"foreign_load": 1.0}, ["foreign load"]),
        ({"foreign_load": 1.0, "idle_cores": 0.9}, ["foreign load"]),
        ({"waiting": 0.04}, []),
        ({"waiting": 0.06}, ["waiting for a core"]),
        ({"foreign_load": 30.0, "idle_cores": 1.0}, []),  # they have a core left
        ({"probe": 5.0, "gpu_sm_clock": 1.0}, []),
        ({"gpu_foreign_processes": 1}, ["foreign GPU processes"]),
        ({"gpu_clock_reasons": 0x01 | 0x02 | 0x04 | 0x10 | 0x100}, []),
        ({"gpu_clock_reasons": 0x08}, []),  # a clock that merely changes
        ({"gpu_power_capped": 0.5}, []),  # a healthy GPU at full load
        ({"gpu_heat_capped": 0.001}, ["a GPU held back"]),
        ({"gpu_sm_clock": 1e9, "core_speed": 0.96}, []),
        ({"gpu_sm_clock": 1e9, "core_speed": 0.95}, ["a GPU held back"]),
        ({"gpu_clock_reasons": 0x20}, ["a GPU held back"]),  # too hot, says the driver
        ({"gpu_clock_reasons": 0x40 | 0x04}, ["a GPU held back"]),  # too hot, says the hardware
        ({"gpu_clock_reasons": 0x80}, ["a GPU held back"]),  # power brake
        ({"core_speed": 0.5, "steal": 0.1}, ["steal", "a slowed core"]),
    ],
)
def test_causes(covariates: dict[str, float], reasons: list[str]) -> None:
    assert conditions.reasons(covariates) == reasons


@pytest.mark.parametrize(
    ("block", "disturbed"),
    [
        ({"foreign_load": 1.0, "slowdown": 1.5}, True),
        ({"foreign_load": 1.0, "slowdown": conditions.MOST_SLOWDOWN}, False),
        ({"foreign_load": 1.0, "slowdown": 1.0}, False),  # there, and nobody's loss
        ({"foreign_load": 0.0, "slowdown": 1.5}, False),  # the model's own
        ({"foreign_load": 1.0}, True),  # nobody knows what calm would be
        ({"foreign_load": 0.0}, False),
        ({"gpu_foreign_processes": 1.0, "slowdown": 1.0}, False),  # an idle notebook
        ({"gpu_foreign_processes": 1.0, "slowdown": 1.2}, True),
    ],
)
def test_disturbed_is_what_has_a_cause_and_is_slower(
    block: dict[str, float], disturbed: bool
) -> None:
    assert conditions.is_disturbed(block) is disturbed


BUSY = {"foreign_load": 1.0}


def test_slowdowns_are_against_calm_blocks() -> None:
    """Of the process itself, where it has three."""
    blocks = [{}, BUSY, {}, {}]
    slowed = conditions.compare([10.0, 5.0, 12.0, 11.0], blocks)
    assert [block["slowdown"] for block in slowed] == [1.1, 2.2, 11 / 12, 1.0]
    assert conditions.compare([10.0, 5.0], [{}, BUSY]) == [{}, BUSY]


def conditions_of(*seconds: float) -> list[conditions.Covariates]:
    return conditions.covariates([{"probe": probe} for probe in seconds])


@pytest.mark.parametrize(
    ("probes", "speeds"),
    [
        ((4.0, 4.0, 2.0, 8.0, 2.0, 2.0), [0.5, 0.5, 0.25, 0.25, 1]),
        ((4.0, 4.0, 4.0, 1.0, 4.0), [1, 1, 1, 1]),  # a lucky probe sets no bar
        ((4.0, 2.0), [0.5]),
    ],
)
def test_core_speed_is_of_the_slower_probe_against_a_fast_one(
    probes: tuple[float, ...], speeds: list[float]
) -> None:
    assert [block["core_speed"] for block in conditions_of(*probes)] == speeds


@pytest.mark.parametrize(
    ("slowdowns", "counted"),
    [
        ([1, 2, 1, 1, 1.2], "x-xx-"),
        ([1, 2, 1, 1.2, 1.5], "x-xx-"),  # two undisturbed ones: the least slowed fills up
        ([2, 1.6, 1.4, 1.2, 1.6], "-xxxx"),  # equals alike, whenever they were taken
        ([2, 1], "xx"),
        ([1, 1, 1, 1, 2], "xxxx-"),
    ],
)
def test_the_undisturbed_count_and_else_the_least_disturbed(
    slowdowns: list[float], counted: str
) -> None:
    answer = conditions.choose([{**BUSY, "slowdown": slowdown} for slowdown in slowdowns])
    assert "".join("x" if keep else "-" for keep in answer) == counted


def test_without_a_calm_rate_conditions_tell_the_least_disturbed() -> None:
    blocks = [{"waiting": 1.0}, {"core_speed": 0.4}, {"waiting": 0.1}, {"core_speed": 0.8}]
    assert conditions.choose(blocks) == [True, False, True, True]
    blocks[0] = {"waiting": 3.0}  # four times as long, where the slowed core takes 2.5 times
    assert conditions.choose(blocks) == [False, True, True, True]


def test_blocks_that_are_equally_disturbed_all_count() -> None:
    """The first three of them would be biased in time."""
    assert conditions.choose([{"gpu_foreign_processes": 1.0}] * 8) == [True] * 8


def judge(rates: list[float], blocks: list[conditions.Covariates]) -> Watched:
    compared = conditions.compare(rates, blocks)
    return conditions.judge({"throughput": rates, "time": [1 / rate for rate in rates]}, compared)


def test_discarded_samples_and_their_conditions_are_kept_in_order() -> None:
    blocks = [{"foreign_load": float(load), "steal": 0.0} for load in (0, 1, 0, 0)]
    del blocks[2]["steal"]
    watched = judge([10.0, 5.0, 8.0, 10.0], [*blocks])
    assert watched.values == {"throughput": [10, 8, 10], "time": [0.1, 0.125, 0.1]}
    assert watched.discarded == {"throughput": [5], "time": [0.2]}
    assert watched.covariates == {
        "foreign_load": [0, 1, 0, 0], "slowdown": [1, 2, 1.25, 1],
        "disturbed": [0, 1, 0, 0], "discarded": [0, 1, 0, 0],
    }  # fmt: skip


def test_a_process_that_stays_disturbed_says_so() -> None:
    watched = judge([4.0, 2.0, 3.0, 1.0], [{}, BUSY, BUSY, BUSY])
    assert watched.covariates["disturbed"] == [0, 1, 1, 1]  # one calm block is no calm rate
    assert watched.covariates["discarded"] == [0, 0, 0, 0]  # and all look equally disturbed


@pytest.mark.parametrize("load", [0.0, 0.29])
def test_without_a_cause_the_judgement_is_blind_to_the_samples(load: float) -> None:
    for rates in ([1.0, 2, 3, 4], [9.0, 1, 9, 9], [1.0, 9, 1, 1]):
        watched = judge(rates, [{"foreign_load": load}] * 4)
        assert watched.covariates["discarded"] == [0, 0, 0, 0]


def test_conditions_are_read_back_as_they_were_taken() -> None:
    blocks = [{"probe": 2.0, "steal": 0.5}, {"probe": 4.0, "steal": 0.0}]
    watched = judge([2.0, 1.0], [{**block, "core_speed": 1.0} for block in blocks])
    assert conditions.read_back(watched.covariates, fast=3.0) == [
        {"probe": 2.0, "steal": 0.5, "core_speed": 1.0},
        {"probe": 4.0, "steal": 0.0, "core_speed": 0.75},
    ]


@pytest.mark.parametrize(
    ("probes", "fast"), [([3, 1, 2, 5], 2), ([2, 1], 1), ([], None), ([*range(100, 0, -1)], 26)]
)
def test_a_few_fast_probes_set_no_bar(probes: list[float], fast: float | None) -> None:
    assert conditions.fast_probe(probes) == fast
