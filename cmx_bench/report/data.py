"""The whole report as JSON, for programs."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from pandas import DataFrame

from cmx_bench.report.tables.judgements import Judged, judged
from cmx_bench.results import frame, records
from cmx_bench.results.counterparts import Counterparts
from cmx_bench.results.nouns import Report
from cmx_bench.results.summary import Result

SCHEMA = 1


def render(report: Report) -> str:
    """Results with raw samples in base units, published figures, failures and gaps."""
    content = {
        "schema": SCHEMA,
        "content_hash": records.content_hash(report.run, report.records),
        "run": dataclasses.asdict(report.run),
        "progress": dataclasses.asdict(report.progress),
        "blocks": dataclasses.asdict(report.blocks),
        "claims": [_judged(one) for one in judged(report)],
        "results": [_result(report, result) for result in report.results.values()],
        "published": {name: _published(known) for name, known in report.published.items()},
        "counted_environments": dict(report.environments),
        "failures": [dataclasses.asdict(one) for one in report.failures],
        "left_out": [dataclasses.asdict(one) for one in report.left_out],
        "not_measured": [dataclasses.asdict(one) for one in report.gaps],
        "last_record_unfinished": report.unfinished,
    }
    return json.dumps(content, indent=1) + "\n"


def _judged(one: Judged) -> dict[str, Any]:
    return {
        "say": one.claim.say,
        "check": one.claim.check,
        "setting": one.setting.key,
        "state": one.state,
        "found": list(one.found),
    }


def _result(report: Report, result: Result) -> dict[str, Any]:
    """The model and the metric by name: the run and `list metrics` describe them."""
    samples = report.samples_of(result)
    ended = samples[samples["status"] == "ok"]
    return {
        "model": result.model,
        "setting": result.setting,
        "metric": result.metric,
        "unit": result.unit,
        "status": result.status,
        "reason": result.reason,
        "estimate": None if result.estimate is None else dataclasses.asdict(result.estimate),
        "planned_processes": result.planned,
        "precision": result.wanted,
        "wide": result.wide,
        "processes": [_process(process) for _, process in ended.groupby("record")],
    }


def _process(rows: DataFrame) -> dict[str, Any]:
    """The samples of one fresh process, and the conditions of all that it took, in order."""
    first = rows.iloc[0]
    conditions = rows[[name for name in rows.columns if name not in frame.COLUMNS]]
    watched = conditions.dropna(axis="columns", how="all")
    return {
        "replicate": int(first["replicate"]),
        "samples": rows.loc[~rows["discarded"], "value"].tolist(),
        "environment": first["environment"],
        "elapsed": first["elapsed"],
        "discarded": rows.loc[rows["discarded"], "value"].tolist(),
        "disturbed": bool(first["disturbed"]),
        "covariates": watched.to_dict("list"),
        "counts": bool(rows["counts"].any()),
        "details": first["details"],
    }


def _published(known: Counterparts) -> list[dict[str, Any]]:
    return [dataclasses.asdict(figure) for figure in known.figures]
