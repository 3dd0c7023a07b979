"""Processes judged by each other: one that was slow throughout shows beside the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cmx_bench.measures import conditions
from cmx_bench.results import disturbance
from cmx_bench.results.records import Record

FAST, SLOW = 10e-3, 20e-3


def process(replicate: int, probes: Sequence[float], setting: str = "s") -> Record:
    """A record as a process makes it, judged by its own calm blocks; slow probes go with slow
    blocks."""
    readings = [{"probe": probe} for probe in (probes[0], *probes)]
    rates = [40.0 if probe == FAST else 25.0 for probe in probes]
    blocks = conditions.compare(rates, conditions.covariates(readings))
    watched = conditions.judge({"throughput": rates}, blocks)
    cell = f"net/throughput/{setting}"
    return Record(cell, "net", "throughput", setting, replicate, "ok", watched.values, "", "e", "",
                  1.0, watched.covariates, watched.discarded)  # fmt: skip


def test_one_that_was_slow_throughout_finds_nothing_amiss_alone() -> None:
    slow = process(0, [SLOW] * 8)
    assert not disturbance.is_disturbed(slow)
    (alone,) = disturbance.judge_together([slow])
    assert not disturbance.is_disturbed(alone)
    assert alone.values == slow.values


def test_beside_others_it_is_disturbed_and_does_not_count() -> None:
    records = [process(number, [FAST] * 8) for number in range(3)] + [process(3, [SLOW] * 8)]
    judged = disturbance.judge_together(records)
    assert [disturbance.is_disturbed(record) for record in judged] == [False, False, False, True]
    assert disturbance.counting(judged) == judged[:3]
    assert judged[3].values == {"throughput": [25.0] * 8}  # what it measured stays


def test_one_that_the_others_show_to_be_no_slower_counts() -> None:
    """Its probes were slow, and its blocks as fast as theirs."""
    slow_probes = process(3, [SLOW] * 8)
    as_fast = replace(slow_probes, values={"throughput": [40.0] * 8})
    judged = disturbance.judge_together([*(process(n, [FAST] * 8) for n in range(3)), as_fast])
    assert disturbance.counting(judged) == judged


def test_other_models_of_the_setting_tell_causes_and_not_times() -> None:
    """Their probes show that it was slowed; what its calm blocks would take, nobody knows."""
    others = [replace(process(n, [FAST] * 8), cell="other/throughput/s") for n in range(3)]
    *_, judged = disturbance.judge_together([*others, process(3, [SLOW] * 8)])
    assert "slowdown" not in judged.covariates
    assert disturbance.is_disturbed(judged)


def test_the_slower_of_two_devices_is_not_disturbed() -> None:
    """Three processes on each; beside those of the faster one its blocks would all be."""
    slower = [replace(process(n, [SLOW] * 8), environment="f") for n in range(3, 6)]
    records = [process(number, [FAST] * 8) for number in range(3)] + slower
    judged = disturbance.judge_together(records)
    assert disturbance.counting(judged) == judged == records
    mixed = [replace(record, environment="e") for record in records]
    assert len(disturbance.counting(disturbance.judge_together(mixed))) == 3


def test_blocks_keep_their_samples_whoever_judges() -> None:
    half = process(0, [SLOW] * 4 + [FAST] * 5)
    judged, *_ = disturbance.judge_together([half, process(1, [FAST] * 8)])
    assert judged.values["throughput"] == [40.0] * 5
    assert judged.discarded["throughput"] == [25.0] * 4
    assert not disturbance.is_disturbed(judged)


def test_all_metrics_of_a_block_are_judged_alike() -> None:
    slow = process(3, [SLOW] * 4 + [FAST] * 4)
    phases = {"train_forward_time": slow.values["throughput"], "compile_time": [9.0]}
    discarded = {"train_forward_time": slow.discarded["throughput"]}
    slow = replace(
        slow, values={**slow.values, **phases}, discarded={**slow.discarded, **discarded}
    )
    judged = disturbance.judge_together([slow])[0]
    assert judged.values["train_forward_time"] == judged.values["throughput"] == [40.0] * 4
    assert judged.discarded["train_forward_time"] == [25.0] * 4
    assert judged.values["compile_time"] == [9.0]


def test_settings_have_probes_of_their_own() -> None:
    records = [process(n, [FAST] * 8) for n in range(3)]
    records += [process(n, [SLOW] * 8, "two threads") for n in range(3)]
    assert not any(map(disturbance.is_disturbed, disturbance.judge_together(records)))


def test_a_gpus_clock_is_that_of_its_cell() -> None:
    """Under a power limit it follows from what is computed: a model that needs more is not slow."""

    def on_gpu(model: str, seconds: float, replicate: int) -> Record:
        record = process(replicate, [seconds] * 8)
        clock = {"gpu_sm_clock": [1e9] * 8}
        return replace(
            record, cell=f"{model}/throughput/s", covariates={**record.covariates, **clock}
        )

    executions = [on_gpu("light", FAST, n) for n in range(3)] + [on_gpu("net", SLOW, 3)]
    assert not any(map(disturbance.is_disturbed, disturbance.judge_together(executions)))
    executions = [on_gpu("net", FAST, n) for n in range(3)] + [on_gpu("net", SLOW, 3)]
    assert disturbance.is_disturbed(disturbance.judge_together(executions)[3])


def test_too_few_undisturbed_count_no_more_than_the_others() -> None:
    records = [process(n, [FAST] * 8) for n in range(2)] + [process(2, [SLOW] * 8)]
    judged = disturbance.judge_together(records)
    assert disturbance.counting(judged) == judged


def test_what_nobody_watched_stays_as_it_is() -> None:
    plain = Record("net/params/r8", "net", "params", "r8", 0, "ok", {"params": [3]}, "", "e", "", 1)
    failed = Record("net/latency/s", "net", "latency", "s", 0, "failed", {}, "died", "e", "", 1)
    of_another_version = replace(plain, cell="net/layers/r8", measure="layers")
    records = [plain, failed, of_another_version]
    assert disturbance.judge_together(records) == records


def test_samples_without_their_order_have_what_is_discarded_at_the_end() -> None:
    record = replace(process(0, [FAST] * 2), covariates={}, discarded={"throughput": [9.0]})
    samples, discarded = disturbance.in_order(record, "throughput")
    assert (samples, discarded) == ([40.0, 40.0, 9.0], [False, False, True])
