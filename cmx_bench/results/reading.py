"""Makes the report's nouns from the records of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from pandas import DataFrame

from cmx_bench.measures import conditions
from cmx_bench.published import counterparts
from cmx_bench.results import disturbance, frame, summary, wall
from cmx_bench.results.executions import executions, majorities
from cmx_bench.results.gaps import gaps
from cmx_bench.results.nouns import Blocks, Failure, Key, LeftOut, Progress, Report
from cmx_bench.results.records import Record, Run
from cmx_bench.results.summary import Result


def summarise(run: Run, records: Sequence[Record], unfinished: bool = False) -> Report:
    """The report of the `records` of `run`. `unfinished` says whether a last record was
    incomplete."""
    tries = executions(run, records)
    counted = [one.record for one in tries if not one.why]
    samples = frame.samples({run.name: (run, tries)})
    results = {(row.model, row.setting, row.metric): row for row in summary.results(samples)}
    failures = tuple(_failures(counted, results, samples))
    return Report(
        run=run,
        records=tuple(records),
        samples=samples,
        results=results,
        published={model.name: counterparts(model) for model in run.models},
        environments=majorities(run, counted),
        failures=failures,
        left_out=tuple(
            LeftOut(one.record.cell, one.record.replicate, one.record.environment,
                    "measured in another environment", one.differences)
            for one in tries if one.differences
        ),
        gaps=tuple(gaps(run, counted)),
        progress=_progress(run, counted, failures, records),
        blocks=_blocks(counted),
        unfinished=unfinished,
    )  # fmt: skip


def _failures(
    counted: Sequence[Record], results: Mapping[Key, Result], samples: DataFrame
) -> Iterator[Failure]:
    """What processes failed with, and then what no record tells of."""
    failed = set()
    for record in counted:
        if record.status == "failed":
            failed.add(record.cell)
            yield Failure(record.cell, record.replicate, record.reason)
    for cell, metric in frame.unknown_metrics(samples):
        yield Failure(cell, None, f"the metric {metric!r} is unknown and not shown")
    for result in results.values():
        if result.status == "failed" and result.cell not in failed:
            yield Failure(result.cell, None, f"{result.about.title}: {result.reason}")


def _progress(
    run: Run, counted: Sequence[Record], failures: Sequence[Failure], records: Sequence[Record]
) -> Progress:
    there = {record.cell for record in counted}
    failed = {failure.cell for failure in failures}
    skipped = {record.cell for record in counted if record.status == "skipped"} - failed
    missing = len(run.cells) - len(there)
    ok = len(there) - len(failed) - len(skipped)
    return Progress(ok, len(failed), missing, wall.seconds(records), len(skipped))


def _blocks(counted: Sequence[Record]) -> Blocks:
    watched = [record for record in counted if record.covariates.get("discarded")]
    blocks = [
        dict(zip(record.covariates, values, strict=True))
        for record in watched
        for values in zip(*record.covariates.values(), strict=False)
    ]
    discarded = [block for block in blocks if block["discarded"]]
    reasons = Counter(reason for block in discarded for reason in conditions.reasons(block))
    on_gpu = [record for record in watched if record.setting.startswith("cuda")]
    return Blocks(
        taken=len(blocks),
        discarded=len(discarded),
        reasons={reason: reasons[reason] for reason in conditions.REASONS if reasons[reason]},
        processes=len(watched),
        disturbed_processes=sum(map(disturbance.is_disturbed, watched)),
        without_gpu_conditions=sum("gpu_clock_reasons" not in one.covariates for one in on_gpu),
    )
