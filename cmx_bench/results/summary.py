"""Summarises samples: a value with its interval for each metric of each cell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import pandas as pd
from pandas import DataFrame

from cmx_bench.measures.conditions import LAUNCH_BOUND
from cmx_bench.metrics import METRICS, Metric
from cmx_bench.results import stats
from cmx_bench.results.frame import COLUMNS, ONCE
from cmx_bench.results.stats import Estimate
from cmx_bench.results.users_frames import require

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
    samples = require(samples, COLUMNS, ONCE, "load")
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
    measured, counting = known[known["status"] == "ok"], processes(known)
    lists = (
        _lists(known[known["status"] == "failed"], "reason"),
        *(_lists(measured, column) for column in ("value", "details", "record")),
        *(_lists(counting, column) for column in ("replicate", "value")),
    )
    rows = []
    for cell in _cells(known):
        key = tuple(cell[name] for name in KEYS)
        outcomes = _Processes._make(of.get(key, []) for of in lists)
        rows.append(_result(cell, outcomes, ended.get(key, 0)))
    return rows


def processes(samples: DataFrame) -> DataFrame:
    """The median of each process that counts: columns of `KEYS`, record, replicate and value."""
    counting = samples[samples["counts"]]
    groups = counting.groupby([*KEYS, "record", "replicate"], observed=True, sort=False)
    return groups["value"].median().reset_index()


_SHARED = ("label", "family", "architecture", "recipe", "measure", "unit", "planned", "wanted")


def _cells(known: DataFrame) -> Iterator[dict[str, Any]]:
    """What the rows of one metric of a cell have in common, by the fields of `Result`."""
    marked = known.assign(
        launching=known.get("launching", math.nan), disturbed=known["disturbed"] & known["counts"]
    )
    cells = marked.groupby(KEYS, observed=True, sort=False).agg(
        **{name: (name, "first") for name in _SHARED},
        status=("status", "last"),
        reason=("reason", "last"),
        launching=("launching", "median"),
        disturbed=("disturbed", "any"),
    ).reset_index()  # fmt: skip
    for row in cells.itertuples(index=False, name=None):
        cell = dict(zip(map(str, cells.columns), row, strict=True))
        missing = {name: None for name in ("wanted", "launching") if pd.isna(cell[name])}
        yield cell | missing


class _Processes(NamedTuple):
    """The processes of one metric of a cell. `counting` are those that count, with their `medians`;
    `values`, `details` and `records` are of all samples of processes that ended well; `failures`
    are the reasons of the others."""

    failures: list[str]
    values: list[float]
    details: list[Mapping[str, Any]]
    records: list[int]
    counting: list[int]
    medians: list[float]


def _lists(rows: DataFrame, column: str) -> dict[Any, list[Any]]:
    """The values of a column by those of `KEYS`, in their order. pandas' `agg(list)` takes six
    times as long."""
    lists: dict[Any, list[Any]] = {}
    keys = zip(*(rows[name] for name in KEYS), strict=True)
    for key, value in zip(keys, rows[column], strict=True):
        lists.setdefault(key, []).append(value)
    return lists


def _result(cell: dict[str, Any], outcomes: _Processes, ended: int) -> Result:
    """The row of a cell, of which so many processes ended well."""
    metric, failure = METRICS[cell["metric"]], "; ".join(dict.fromkeys(outcomes.failures))
    estimate = None
    if outcomes.values and metric.exact and len(set(outcomes.values)) > 1:
        listed = ", ".join(f"{value:.17g}" for value in sorted(set(outcomes.values)))
        failure = f"an exact metric came out differently: {listed}"
    elif outcomes.medians:
        estimate = _estimate(metric, outcomes)
    elif outcomes.values:  # of a user who looks at what does not count
        cell |= {"status": "not measured", "reason": "none of its samples counts"}
    if failure or outcomes.medians:
        cell |= {"status": "failed" if failure else "ok", "reason": failure}
    value, low, high, n = (
        (None, None, None, 0) if estimate is None
        else (estimate.value, estimate.low, estimate.high, estimate.n)
    )  # fmt: skip
    details = outcomes.details[-1] if outcomes.details else {}
    over = "processes"
    if metric.noise == "image":
        over = "seeds" if len(set(outcomes.records)) > 1 else "images"
    return Result(
        **cell, value=value, low=low, high=high, n=n, over=over,
        left_out=ended - len(outcomes.counting),
        medians=dict(zip(outcomes.counting, outcomes.medians, strict=True)),
        # Through Arrow every process has the keys of all.
        details={name: told for name, told in details.items() if told is not None},
    )  # fmt: skip


def _estimate(metric: Metric, outcomes: _Processes) -> Estimate:
    if metric.exact:
        return Estimate(outcomes.values[0], None, None, len(set(outcomes.records)))
    if metric.noise == "image":
        details = outcomes.details[0]
        if len(outcomes.values) == 1:
            return stats.proportion(details["correct"][metric.name], details["images"])
        return stats.over_seeds(outcomes.values, details["images"])
    return stats.of_medians(outcomes.medians)
