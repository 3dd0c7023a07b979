"""A run's records made into what can be said: values with their spread, failures, what is missing.

Everything here is derived from records whenever it is needed; nothing is stored.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from cmx_bench.cell import Model
from cmx_bench.measures import MEASURES, conditions
from cmx_bench.metrics import METRICS, Metric, first_of
from cmx_bench.report.counterparts import counterparts
from cmx_bench.report.gaps import gaps
from cmx_bench.report.nouns import (
    Blocks,
    Failure,
    LeftOut,
    Process,
    Progress,
    Report,
    Result,
    Status,
)
from cmx_bench.results import disturbance, environment, stats
from cmx_bench.results.records import Record, Run
from cmx_bench.results.stats import Estimate


def summarise(run: Run, records: Sequence[Record], unfinished: bool = False) -> Report:
    """What `records` say about the cells of `run`; a last one was `unfinished` when it was read."""
    planned = set(run.cells)
    known = [record for record in _final(records) if record.cell in planned]
    majority = _majorities(run, known)
    comparable, left_out = _split(run, known, majority)
    counted = disturbance.judged_together(comparable)
    results, contradictions = _results(run, counted)
    failures = (
        *(
            Failure(record.cell, record.replicate, record.reason)
            for record in counted
            if record.status == "failed"
        ),
        *contradictions,
    )
    return Report(
        run=run,
        records=tuple(records),
        results=results,
        published={model.name: counterparts(model) for model in run.models},
        environments=majority,
        failures=failures,
        left_out=(*_strangers(records, planned), *left_out),
        gaps=tuple(gaps(run, counted)),
        progress=_progress(run, counted, failures, records),
        blocks=_blocks(run, counted),
        unfinished=unfinished,
    )


def _final(records: Sequence[Record]) -> Iterator[Record]:
    """Without those of executions that failed or were skipped, and were tried again later."""
    last = {(record.cell, record.replicate): place for place, record in enumerate(records)}
    for place, record in enumerate(records):
        if record.status == "ok" or last[record.cell, record.replicate] == place:
            yield record


def _majorities(run: Run, records: Iterable[Record]) -> dict[str, str]:
    """For each setting the environment, among comparable ones the first, of most ok records."""
    counts: dict[str, Counter[str]] = {}
    first: dict[str, str] = {}
    for record in records:
        if record.status == "ok" and not _exact_only(record.measure):
            shape = _comparable(run, record.environment)
            counts.setdefault(record.setting, Counter())[shape] += 1
            first.setdefault(shape, record.environment)
    return {key: first[counter.most_common(1)[0][0]] for key, counter in counts.items()}


def _comparable(run: Run, digest: str) -> str:
    found = run.environments.get(digest, {})
    return json.dumps([found.get(name) for name in environment.COMPARABLE], default=str)


@cache
def _exact_only(measure: str) -> bool:
    """Whether a measure gives the same on every machine, so that environments do not matter."""
    exact = [metric.exact for metric in METRICS.values() if metric.measure == measure]
    return bool(exact) and all(exact)


def _split(
    run: Run, records: Iterable[Record], majority: Mapping[str, str]
) -> tuple[list[Record], list[LeftOut]]:
    """The records that count, and those measured in another environment than the majority."""
    counted, left_out = [], []
    unlike: dict[tuple[str, str], dict[str, tuple[Any, Any]]] = {}
    for record in records:
        if record.status != "ok" or _exact_only(record.measure):
            counted.append(record)
            continue
        pair = (record.environment, majority[record.setting])
        if pair not in unlike:
            one, other = (run.environments.get(digest, {}) for digest in pair)
            unlike[pair] = environment.differences(one, other)
        if not unlike[pair]:
            counted.append(record)
            continue
        left_out.append(
            LeftOut(record.cell, record.replicate, record.environment,
                    "measured in another environment", unlike[pair])
        )  # fmt: skip
    return counted, left_out


def _strangers(records: Iterable[Record], planned: set[str]) -> Iterator[LeftOut]:
    for record in records:
        if record.cell not in planned:
            yield LeftOut(record.cell, record.replicate, record.environment,
                          "not a cell of this run", {})  # fmt: skip


def _results(
    run: Run, counted: Sequence[Record]
) -> tuple[dict[tuple[str, str, str], Result], list[Failure]]:
    """A result for each planned cell and metric; failures that no record tells of."""
    by_cell = disturbance.by_cell(counted)
    seen: dict[tuple[str, str], dict[str, None]] = {}
    for record in counted:
        seen.setdefault((record.measure, record.setting), {}).update(dict.fromkeys(record.values))
    models = {model.name: model for model in run.models}
    results: dict[tuple[str, str, str], Result] = {}
    contradictions: list[Failure] = []
    for key in run.cells:
        mine = by_cell[key]
        name, measure, setting = key.split("/")
        for metric_name in _metric_names(measure, seen.get((measure, setting), {})):
            if metric_name not in METRICS:
                contradictions.append(
                    Failure(key, None, f"the metric {metric_name!r} is unknown and not shown")
                )
                continue
            metric = METRICS[metric_name]
            result = _result(run, models[name], setting, metric, mine)
            results[name, setting, metric_name] = result
            if result.status == "failed" and not any(one.status == "failed" for one in mine):
                contradictions.append(Failure(key, None, f"{metric.title}: {result.reason}"))
    return results, contradictions


def _metric_names(measure: str, seen: Iterable[str]) -> list[str]:
    """What the measure gave in this setting for any model, or else the first that it could give."""
    possible = [metric.name for metric in METRICS.values() if metric.measure == measure]
    return list(seen) or possible[:1]


def _result(
    run: Run, model: Model, setting: str, metric: Metric, records: Sequence[Record]
) -> Result:
    first = metric.name == first_of(metric.measure)
    measured = [one for one in records if one.status == "ok" and one.values.get(metric.name)]
    counting = {id(one) for one in disturbance.counting(measured)}
    processes = tuple(
        Process(
            record.replicate,
            tuple(record.values[metric.name]),
            record.environment,
            record.elapsed,
            tuple(record.discarded.get(metric.name, ())),
            first and disturbance.disturbed(record),
            record.covariates if first else {},
            id(record) in counting,
            record.details,
        )
        for record in measured
    )
    info = MEASURES.get(metric.measure)
    repeated = info is not None and info.repeated
    together = info is not None and info.together
    planned = run.replicates if repeated else len(run.seeds) if together else 1
    status, estimate, reason = _judged(metric, processes, records)
    precision = run.precision if first and info is not None and info.precise else None
    details = records[-1].details if records else {}
    return Result(
        model, setting, metric, status, estimate, processes, planned, reason, precision, details
    )


def _judged(
    metric: Metric, processes: Sequence[Process], records: Sequence[Record]
) -> tuple[Status, Estimate | None, str]:
    if not records:
        return "not measured", None, ""
    if records[-1].status == "skipped":
        return "skipped", None, records[-1].reason
    reasons = [one.reason or "no reason given" for one in records if one.status == "failed"]
    failed = "; ".join(dict.fromkeys(reasons))
    if not processes:
        return "failed", None, failed or "the measure gave no value"
    values = {sample for process in processes for sample in process.samples}
    if metric.exact and len(values) > 1:
        listed = ", ".join(f"{value:.17g}" for value in sorted(values))
        return "failed", None, f"an exact metric came out differently: {listed}"
    if metric.exact:
        estimate = Estimate(values.pop(), None, None, len(processes))
    elif metric.noise == "image" and len(processes) == 1:
        details = processes[0].details
        estimate = stats.proportion(details["correct"][metric.name], details["images"])
    elif metric.noise == "image":
        shares = [one.samples[0] for one in processes]
        estimate = stats.over_seeds(shares, processes[0].details["images"])
    else:
        estimate = stats.estimate([one.samples for one in processes if one.counts])
    return ("failed" if failed else "ok"), estimate, failed


def _progress(
    run: Run, counted: Iterable[Record], failures: Iterable[Failure], records: Iterable[Record]
) -> Progress:
    there = {record.cell for record in counted}
    failed = {failure.cell for failure in failures}
    skipped = {record.cell for record in counted if record.status == "skipped"}
    seconds = sum(record.elapsed for record in records)
    missing = len(run.cells) - len(there)
    ok = len(there) - len(failed) - len(skipped)
    return Progress(ok, len(failed), missing, seconds, len(skipped))


def _blocks(run: Run, counted: Iterable[Record]) -> Blocks:
    watched = [record for record in counted if record.covariates.get("discarded")]
    blocks = [block for record in watched for block in _conditions(record)]
    discarded = [block for block in blocks if block["discarded"]]
    reasons = Counter(reason for block in discarded for reason in conditions.reasons(block))
    on_gpu = watched if run.device.startswith("cuda") else []
    return Blocks(
        taken=len(blocks),
        discarded=len(discarded),
        reasons={reason: reasons[reason] for reason in conditions.REASONS if reasons[reason]},
        processes=len(watched),
        disturbed_processes=sum(map(disturbance.disturbed, watched)),
        without_gpu_conditions=sum("gpu_clock_reasons" not in one.covariates for one in on_gpu),
    )


def _conditions(record: Record) -> Iterator[dict[str, float]]:
    """The conditions of each block taken."""
    for values in zip(*record.covariates.values(), strict=False):
        yield dict(zip(record.covariates, values, strict=True))
