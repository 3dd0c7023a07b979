"""Summarises samples: a value with its interval for each metric of each cell."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import pandas as pd
from pandas import DataFrame

from cmx_bench.measures.conditions import LAUNCH_BOUND
from cmx_bench.metrics import METRICS, Metric
from cmx_bench.results import stats
from cmx_bench.results.frame import COLUMNS, require
from cmx_bench.results.stats import Estimate

Status: TypeAlias = Literal["ok", "failed", "skipped", "not measured"]

KEYS = ["run", "model", "setting", "metric"]
# Rows that count for nothing for these reasons say nothing of a cell either.
ASIDE = ("tried again", "other environment")


class Result(NamedTuple):
    """One row of a summary: one metric of one model in one setting.

    `value`, `low` and `high` are in base units; there is no interval over a single process, and
    none of an exact metric. `value` may be there although `status` is "failed": then some processes
    failed. `n` counts what the interval is `over`: processes, images or seeds. `left_out` counts
    the processes that ended well beside these and that the value does not rest on: disturbed ones,
    and those in another environment. `planned` and `wanted` are those of the samples. `medians` are
    of the processes that it rests on, by their number; `details` are those of the last process.
    `launching` is the share of the time that the host of a GPU needed to launch, in the median
    block. A `disturbed` value rests on processes that stayed disturbed, for too few did not.
    """

    run: str
    model: str
    label: str
    family: str
    setting: str
    measure: str
    metric: str
    value: float | None
    unit: str
    low: float | None
    high: float | None
    n: int
    status: Status
    reason: str
    over: str
    planned: int
    left_out: int
    wanted: float | None
    medians: Mapping[int, float]
    details: Mapping[str, Any]
    architecture: str
    recipe: str
    launching: float | None
    disturbed: bool

    @property
    def about(self) -> Metric:
        """What the metric means."""
        return METRICS[self.metric]

    @property
    def estimate(self) -> Estimate | None:
        """Value and interval, where there is a value."""
        return None if self.value is None else Estimate(self.value, self.low, self.high, self.n)

    @property
    def cell(self) -> str:
        """The key of the cell that it comes from."""
        return f"{self.model}/{self.measure}/{self.setting}"

    @property
    def launch_bound(self) -> bool:
        """Whether the host was measured, which launches the kernels, rather than the GPU."""
        return self.launching is not None and self.launching > LAUNCH_BOUND

    @property
    def image_size(self) -> int | None:
        """The side in pixels of the images behind an accuracy; None if no record says it."""
        prepared = self.details.get("preprocessing")
        return None if prepared is None else int(prepared["geometry"]["image_size"])

    @property
    def weights(self) -> str | None:
        """Tag or file of the given weights that an accuracy is of; None of others, as of trained
        ones."""
        given: str | None = self.details.get("weights")
        return None if "training" in self.details else given

    @property
    def wide(self) -> bool:
        """Whether the interval is wider than the suite wants, or missing."""
        if self.wanted is None or self.estimate is None:
            return False
        return not self.estimate.within(self.wanted)


def summary(samples: DataFrame) -> DataFrame:
    """A row for each metric of each cell that was planned, with the columns of `Result`. Texts are
    categoricals.

    Args:
        samples: as `frame.samples` gives them, or some of their rows.

    Raises:
        ValueError: columns are missing.
    """
    require(samples, COLUMNS, "load")
    frame = DataFrame(results(samples), columns=Result._fields).drop(
        columns=["medians", "details", "launching"]
    )
    for column in ("run", "model", "label", "family", "setting", "measure", "metric", "unit"):
        frame[column] = pd.Categorical(frame[column], list(dict.fromkeys(frame[column])))
    return frame.astype({"value": "float64", "low": "float64", "high": "float64"})


def results(samples: DataFrame) -> list[Result]:
    """The rows of the summary, in the order of the plan."""
    known = samples[~samples["why"].isin(ASIDE) & samples["metric"].isin(list(METRICS))]
    if known.empty:
        return []
    ok = samples[samples["status"] == "ok"]
    ended = ok.groupby(KEYS, observed=True)["record"].nunique().to_dict()
    return [_result(cell, ended) for cell in _cells(known)]


def processes(samples: DataFrame) -> DataFrame:
    """The median of each process that counts: columns of `KEYS`, record, replicate and value."""
    counting = samples[samples["counts"]]
    groups = counting.groupby([*KEYS, "record", "replicate"], observed=True, sort=False)
    return groups["value"].median().reset_index()


class _Cell(NamedTuple):
    """What the rows of one metric of a cell have in common, and the lists in which they differ.

    `counting` are the processes that count, with their `medians`; `values`, `details` and
    `records` are of all samples of processes that ended well; `failures` are the reasons of the
    others.
    """

    run: str
    model: str
    setting: str
    metric: str
    label: str
    family: str
    architecture: str
    recipe: str
    measure: str
    unit: str
    planned: int
    wanted: float
    status: Status
    reason: str
    launching: float
    disturbed: bool
    failures: list[str]
    values: list[float]
    details: list[Mapping[str, Any]]
    records: list[int]
    counting: list[int]
    medians: list[float]


_SHARED = ("label", "family", "architecture", "recipe", "measure", "unit", "planned", "wanted")


def _cells(known: DataFrame) -> Iterator[_Cell]:
    def grouped(rows: DataFrame) -> Any:
        return rows.groupby(KEYS, observed=True, sort=False)

    marked = known.assign(
        launching=known.get("launching", math.nan), disturbed=known["disturbed"] & known["counts"]
    )
    cells = grouped(marked).agg(
        **{name: (name, "first") for name in _SHARED},
        status=("status", "last"),
        reason=("reason", "last"),
        launching=("launching", "median"),
        disturbed=("disturbed", "any"),
    )
    measured, counting = known[known["status"] == "ok"], processes(known)
    failed = known[known["status"] == "failed"]
    lists = {
        "failures": _lists(failed, "reason"),
        "values": _lists(measured, "value"),
        "details": _lists(measured, "details"),
        "records": _lists(measured, "record"),
        "counting": _lists(counting, "replicate"),
        "medians": _lists(counting, "value"),
    }
    # Not by reindex: pandas 3.1 fails on categories of an index that has more than 127 of them.
    for name, present in lists.items():
        cells[name] = [present.get(key, []) for key in cells.index]
    return map(_Cell._make, cells.reset_index().itertuples(index=False, name=None))


def _lists(rows: DataFrame, column: str) -> dict[Any, list[Any]]:
    """The values of a column by those of `KEYS`, in their order. pandas' `agg(list)` takes six
    times as long."""
    lists: dict[Any, list[Any]] = {}
    keys = zip(*(rows[name] for name in KEYS), strict=True)
    for key, value in zip(keys, rows[column], strict=True):
        lists.setdefault(key, []).append(value)
    return lists


def _result(cell: _Cell, ended: Mapping[Hashable, int]) -> Result:
    """The row of a cell.

    Args:
        ended: by the values of `KEYS`, how many processes ended well.
    """
    metric = METRICS[cell.metric]
    estimate, status, reason = _judge(metric, cell)
    value, low, high, n = (
        (None, None, None, 0) if estimate is None
        else (estimate.value, estimate.low, estimate.high, estimate.n)
    )  # fmt: skip
    over = "processes"
    if metric.noise == "image":
        over = "seeds" if len(set(cell.records)) > 1 else "images"
    return Result(
        cell.run, cell.model, cell.label, cell.family, cell.setting, cell.measure, cell.metric,
        value, cell.unit, low, high, n, status, reason, over, cell.planned,
        ended.get((cell.run, cell.model, cell.setting, cell.metric), 0) - len(cell.counting),
        None if math.isnan(cell.wanted) else cell.wanted,
        dict(zip(cell.counting, cell.medians, strict=True)),
        cell.details[-1] if cell.details else {}, cell.architecture, cell.recipe,
        None if math.isnan(cell.launching) else cell.launching, cell.disturbed,
    )  # fmt: skip


def _judge(metric: Metric, cell: _Cell) -> tuple[Estimate | None, Status, str]:
    reason = "; ".join(dict.fromkeys(cell.failures))
    if not cell.values:
        return (None, "failed", reason) if reason else (None, cell.status, cell.reason)
    if metric.exact and len(set(cell.values)) > 1:
        listed = ", ".join(f"{value:.17g}" for value in sorted(set(cell.values)))
        return None, "failed", f"an exact metric came out differently: {listed}"
    return _estimate(metric, cell), "failed" if reason else "ok", reason


def _estimate(metric: Metric, cell: _Cell) -> Estimate:
    if metric.exact:
        return Estimate(cell.values[0], None, None, len(set(cell.records)))
    if metric.noise == "image":
        details = cell.details[0]
        if len(cell.values) == 1:
            return stats.proportion(details["correct"][metric.name], details["images"])
        return stats.over_seeds(cell.values, details["images"])
    return stats.of_medians(cell.medians)
