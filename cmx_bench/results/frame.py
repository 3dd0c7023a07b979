"""The records of a run as one tidy DataFrame: a row for each sample, and a status for cells without
samples.

The rows of a cell that gave no sample of a metric (it failed, was skipped, was not measured) have
no `value`, so that nothing that was planned is absent.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, compress, pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from pandas import DataFrame

from cmx_bench import published
from cmx_bench.cell import Model
from cmx_bench.measures import MEASURES
from cmx_bench.metrics import METRICS, first_of
from cmx_bench.results import disturbance, gaps, swept_arguments
from cmx_bench.results.executions import Execution
from cmx_bench.results.records import Record, Run
from cmx_bench.units import plain

# What each column holds. Arguments that models were swept over follow (`results.swept_arguments`),
# and conditions, a column for each that was watched (`measures.conditions`).
COLUMNS: Mapping[str, str] = {
    "run": "name of the run",
    "model": "name of the model in the suite",
    "label": "what reports call it",
    "family": "family of architectures",
    "architecture": "timm name of the architecture, or `module:callable`",
    "weights": "tag or file of the weights, empty where they were drawn at random",
    "recipe": "tag of the recipe of the weights, empty where there is none",
    "published_as": "timm name under which figures of exactly this model are published, or empty",
    "classes": "classes that the model tells apart",
    "setting": "key of the setting; `r224` for what depends on the image size alone",
    "setting_name": "name of the setting in the suite",
    "device": "`cpu` or `cuda:N`",
    "hardware": "kind of the device, where a run has several kinds; empty otherwise",
    "precision": "fp32, tf32, fp16, bf16 or autocast",
    "layout": "nchw or nhwc",
    "compile": "mode of torch.compile, or none",
    "batch_size": "images in a batch; 0 for what depends on the image size alone",
    "image_size": "side of an image in pixels",
    "dataset": "data set that accuracy is of, empty where none was asked for",
    "imagenet": "whether published accuracies are of the same images and labels, by its name",
    "measure": "what was executed",
    "metric": "what was measured by it",
    "unit": "base unit of the value",
    "status": "ok, failed, skipped or not measured",
    "record": "place of the record in records.jsonl, from 0; -1 without one",
    "replicate": "number of the fresh process, from 0; -1 without one",
    "sample": "place of the sample in its process, from 0",
    "value": "the sample in base units; missing where there is none",
    "discarded": "whether the block was discarded for its conditions",
    "disturbed": "whether the process stayed disturbed",
    "counts": "whether reported values rest on this sample",
    "why": "why it does not count; empty where it does",
    "reason": "why a process failed, what a skipped one lacks, or that a run is not finished",
    "environment": "key of the environment in run.json",
    "started": "UTC, ISO 8601",
    "elapsed": "seconds that the process took",
    "planned": "processes asked for; the least number where a precision is wanted",
    "wanted": "half-width of the interval that the suite wants, as a share of the value",
    "details": "what else the record holds of its values, as JSON",
}
OF_MODEL = ("label", "family", "architecture", "weights", "recipe", "published_as", "classes")
_OF_SETTING = (
    "setting_name", "device", "hardware", "precision", "layout", "compile", "batch_size",
)  # fmt: skip
# Whole numbers, and what stands for one that there is not.
NUMBERS = {"record": -1, "replicate": -1, "classes": 0, "batch_size": 0, "image_size": 0}
TEXTS = (
    "run", "model", "label", "family", "architecture", "weights", "recipe", "published_as",
    "setting", "setting_name", "device", "hardware", "precision", "layout", "compile", "dataset",
    "measure", "metric", "unit", "status", "why", "reason", "environment",
)  # fmt: skip
STATUSES = ("ok", "failed", "skipped", "not measured")
FLAGS = ("imagenet", "discarded", "disturbed", "counts")
# What tells a sample from all others.
ONCE = ("run", "model", "setting", "metric", "record", "sample")
# Rows that count for nothing for these reasons say nothing of a cell either.
ASIDE = ("tried again", "other environment")
_NO_VALUE, _UNFINISHED = "the measure gave no value", "the run is not finished"


# One metric of one execution: columns of the frame, and behind them the `values` and what else has
# an entry for each sample taken.
_Row: TypeAlias = dict[str, Any]
# What has a value of its own for each sample, and not for each row.
_OF_SAMPLE = ("sample", "value", "discarded", "counts")


def samples(runs: Mapping[str, tuple[Run, Sequence[Execution]]]) -> DataFrame:
    """The samples of runs, by the names of these, with the columns of `COLUMNS`.

    Rows stand in the order of the plan; what counts for nothing stands last. Texts are
    categoricals whose categories have the order of the suite; those of arguments are not.
    """
    frame = _build(runs)
    models = [model for run, _ in runs.values() for model in run.models]
    order = {
        "model": [model.name for model in models],
        "label": [model.label for model in models],
    }
    return categorise(frame, order)


def categorise(frame: DataFrame, order: Mapping[str, Sequence[str]]) -> DataFrame:
    """Makes categoricals of texts: metrics and those with an order in it, others as they come."""
    order = {"metric": list(METRICS), **order}
    for column in TEXTS:
        present = dict.fromkeys(frame[column].unique())
        known = [text for text in dict.fromkeys(order.get(column, ())) if text in present]
        frame[column] = pd.Categorical(frame[column], list(dict.fromkeys([*known, *present])))
    return frame


_IMAGENET = re.compile(r"(.*/)?(imagenet|ilsvrc2012)([-_]?1k)?([-_]wds)?([-_]val(idation)?)?")


def on_imagenet(run: Run) -> bool:
    """Whether the data set's name is that of published top-1 figures."""
    asked = run.accuracy
    whole = not (asked.get("real_labels") or asked.get("valid_labels"))
    return whole and bool(_IMAGENET.fullmatch(str(asked.get("dataset", "")).lower()))


class Process(NamedTuple):
    """The samples of one metric that a fresh process gave, and the conditions of all that it took,
    in order; `counts` where its value rests on it."""

    replicate: int
    environment: str
    elapsed: float
    disturbed: bool
    details: Mapping[str, Any]
    samples: list[float]
    discarded: list[float]
    covariates: Mapping[str, list[Any]]
    counts: bool


def processes(frame: DataFrame) -> dict[tuple[str, str, str], list[Process]]:
    """The processes of one run that ended well, by model, setting and metric."""
    rows = frame[(frame["status"] == "ok") & ~frame["why"].isin(ASIDE)]
    columns = {str(name): rows[name].tolist() for name in rows.columns}
    conditions = columns.keys() - COLUMNS.keys() - {*swept_arguments.columns_in(rows)}
    watching = [name for name in columns if name in conditions]
    starts = [place for place, sample in enumerate(columns["sample"]) if sample == 0]
    found: dict[tuple[str, str, str], list[Process]] = {}
    for start, end in pairwise([*starts, len(rows)]):
        first = {name: column[start] for name, column in columns.items()}
        values, thrown = (columns[name][start:end] for name in ("value", "discarded"))
        watched = {name: columns[name][start:end] for name in watching if pd.notna(first[name])}
        key = first["model"], first["setting"], first["metric"]
        found.setdefault(key, []).append(Process(
            first["replicate"], first["environment"], first["elapsed"], first["disturbed"],
            first["details"], list(compress(values, map(operator.not_, thrown))),
            list(compress(values, thrown)), watched | ({"discarded": thrown} if watched else {}),
            any(columns["counts"][start:end]),
        ))  # fmt: skip
    return found


def unknown_metrics(frame: DataFrame) -> list[tuple[str, str]]:
    """The key of the cell and the name of each metric that no table has."""
    rows = frame[~frame["metric"].isin(list(METRICS)) & (frame["why"] == "")]
    keys = rows[["model", "measure", "setting", "metric"]].drop_duplicates()
    return [("/".join(cell), metric) for *cell, metric in keys.itertuples(index=False)]


def _build(runs: Mapping[str, tuple[Run, Sequence[Execution]]]) -> DataFrame:
    """The columns of `COLUMNS`, and conditions; of all runs at once, for pandas takes as long for
    one as for many."""
    told: dict[str, DataFrame] = {}
    for name, (run, _) in runs.items():  # each by itself, for what was swept is its own matter
        before = next(reversed(told), name)
        alike = before in told and runs[before][0].models == run.models
        told[name] = told[before] if alike else models(run.models).set_index("model")
    swept = dict.fromkeys(
        column for of_run in told.values() for column in swept_arguments.columns_in(of_run)
    )
    rows = _chain([*_tell(name, *runs[name], of_run)] for name, of_run in told.items())
    sizes = np.array([max(1, len(row["values"])) for row in rows], dtype=np.int64)
    of_row = [name for name in (*COLUMNS, *swept, "process_counts") if name not in _OF_SAMPLE]
    frame = DataFrame({name: [row.get(name, np.nan) for row in rows] for name in of_row})
    frame = frame.loc[frame.index.repeat(sizes)].reset_index(drop=True)
    # Plain integers: seaborn 0.13 has no legend for pandas' own, which can be missing.
    frame = frame.astype(dict.fromkeys((*NUMBERS, "planned"), "int64") | {"wanted": "float64"})
    frame["sample"] = np.concatenate([np.arange(size) for size in sizes]) if rows else []
    frame["value"] = np.array(_chain(row["values"] or [np.nan] for row in rows), np.float64)
    frame["discarded"] = np.array(_chain(row["thrown"] or [False] for row in rows), np.bool_)
    valued = (frame["why"] == "") & (frame["status"] == "ok")
    frame["counts"] = valued & frame["process_counts"] & ~frame["discarded"]
    frame.loc[valued & ~frame["process_counts"], "why"] = "disturbed process"
    frame.loc[valued & frame["discarded"], "why"] = "disturbed block"
    return frame[[*COLUMNS, *swept]].join(_conditions(rows, sizes))


def _chain(parts: Iterable[Sequence[Any]]) -> list[Any]:
    return list(chain.from_iterable(parts))


def models(models: Sequence[Model]) -> DataFrame:
    """The columns of `COLUMNS` that tell of a model, a row each, and the arguments swept."""
    told = DataFrame(
        [
            (one.name, plain(one.label), one.family, one.target or one.name, one.weights or "",
             one.recipe, published.name_of(one), one.num_classes)
            for one in models
        ],
        columns=["model", *OF_MODEL],
    )  # fmt: skip
    return told.join(swept_arguments.find(models))


def _tell(name: str, run: Run, tries: Sequence[Execution], of_models: DataFrame) -> Iterator[_Row]:
    """The rows of a run, with what its models, its settings and the run itself tell of each."""
    known: dict[Any, Any] = of_models.to_dict("index")
    settings: dict[str, _Row] = {}
    for setting in run.settings:
        settings[f"r{setting.image_size}"] = {"image_size": setting.image_size}
        own = {column: getattr(setting, column) for column in (*_OF_SETTING[1:], "image_size")}
        settings[setting.key] = {"setting_name": setting.name, **own}
    same = {
        "run": name, "dataset": plain(str(run.accuracy.get("dataset", ""))),
        "imagenet": on_imagenet(run),
    }  # fmt: skip
    planned = gaps.processes(run)
    for row in _rows(run, tries):
        metric, cell = row["metric"], (row["model"], row["measure"], row["setting"])
        yield {
            **_UNTOLD, "label": row["model"], **same, **settings.get(row["setting"], {}),
            **known.get(row["model"], {}), **row, "planned": planned(*cell),
            "wanted": run.precision if metric in _PRECISE else None,
            "unit": METRICS[metric].unit if metric in METRICS else "",
        }  # fmt: skip


_PRECISE = {first_of(name) for name, info in MEASURES.items() if info.precise}
# Of what settings of an image size share, and of what the run does not know.
_UNTOLD: _Row = {**dict.fromkeys((*OF_MODEL, *_OF_SETTING), ""), **dict.fromkeys(NUMBERS, 0)}


def _conditions(rows: Sequence[_Row], sizes: np.ndarray[Any, Any]) -> DataFrame:
    """A column for each condition that any process watched; missing where it was not watched."""
    names = dict.fromkeys(name for row in rows for name in row["conditions"])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    columns = {name: np.full(starts[-1], np.nan) for name in names}
    for row, start in zip(rows, starts[:-1], strict=True):
        for name, taken in row["conditions"].items():
            columns[name][start : start + len(taken)] = taken
    return DataFrame(columns, index=range(starts[-1]))


# --- rows -----------------------------------------------------------------------------------------


def _rows(run: Run, tries: Sequence[Execution]) -> Iterator[_Row]:
    counted: dict[str, list[tuple[int, Record]]] = {key: [] for key in run.cells}
    metrics: dict[tuple[str, str], dict[str, None]] = {}
    unmeasured = "" if run.finished else _UNFINISHED
    for place, execution in enumerate(tries):
        record = execution.record
        if not execution.why:
            counted[record.cell].append((place, record))
            names = metrics.setdefault((record.measure, record.setting), {})
            names.update(dict.fromkeys(record.values))
    for key, records in counted.items():
        _, measure, setting = key.split("/")
        for metric in metrics.get((measure, setting), {}) or _possible(measure)[:1]:
            yield from _of_metric(key, metric, records, unmeasured)
    for place, execution in enumerate(tries):
        if execution.why:
            record = execution.record
            for metric in record.values or _possible(record.measure)[:1]:
                yield _row(place, record, metric, True, execution.why)


def _possible(measure: str) -> list[str]:
    return [metric.name for metric in METRICS.values() if metric.measure == measure]


def _of_metric(
    cell: str, metric: str, records: Sequence[tuple[int, Record]], unmeasured: str
) -> Iterator[_Row]:
    """The rows of one metric of a planned cell: one at least, where there is no record with why it
    is `unmeasured`."""
    measured = [one for _, one in records if one.status == "ok" and one.values.get(metric)]
    counting = {id(record) for record in disturbance.counting(measured)}
    rows = [
        _row(place, record, metric, id(record) in counting)
        for place, record in records
        if record.status != "ok" or record.values.get(metric)
    ]
    yield from rows
    if rows:
        return
    status, reason = ("failed", _NO_VALUE) if records else ("not measured", unmeasured)
    model, measure, setting = cell.split("/")
    lacking = Record(cell, model, measure, setting, -1, "failed", {}, reason, "", "", np.nan)
    yield _row(-1, lacking, metric, False, status) | {"status": status, "reason": reason}


def _row(place: int, record: Record, metric: str, process_counts: bool, why: str = "") -> _Row:
    first = metric in METRICS and metric == first_of(record.measure)
    conditions = dict(record.covariates) if first else {}
    values, thrown = disturbance.in_order(record, metric)
    for judgement in ("discarded", "disturbed"):
        conditions.pop(judgement, None)
    of_blocks = len(values) == len(record.covariates.get("discarded", ()))
    unsaid = "no reason given" if record.status == "failed" else ""
    return {
        "model": record.model, "setting": record.setting, "measure": record.measure,
        "metric": metric, "status": record.status, "record": place, "replicate": record.replicate,
        "disturbed": of_blocks and disturbance.is_disturbed(record),
        "process_counts": process_counts,
        "why": why or ("" if record.status == "ok" else record.status),
        "reason": plain(record.reason) or unsaid,
        "environment": record.environment, "started": record.started, "elapsed": record.elapsed,
        "details": record.details, "values": values, "thrown": thrown,
        "conditions": {
            name: taken for name, taken in conditions.items() if len(taken) == len(values)
        },
    }  # fmt: skip
