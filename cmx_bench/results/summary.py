"""Summarises samples: a value with its interval for each metric of each cell."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Literal, NamedTuple, TypeAlias

import pandas as pd
from pandas import DataFrame

from cmx_bench.measures.conditions import LAUNCH_BOUND
from cmx_bench.metrics import METRICS, Metric
from cmx_bench.results import stats
from cmx_bench.results.frame import ASIDE, COLUMNS, ONCE
from cmx_bench.results.grouping import group
from cmx_bench.results.stats import Estimate
from cmx_bench.results.users_frames import require

Status: TypeAlias = Literal["ok", "failed", "skipped", "not measured"]

KEYS = ["run", "model", "setting", "metric"]


class Result(NamedTuple):
    """One row of a summary: one metric of one model in one setting.

    `value`, `low` and `high` are in base units. A single process has no interval, and neither has
    an exact metric. A `value` with the `status` "failed" rests on the processes that did not fail.
    `n` counts what the interval is `over`: processes, images or seeds. `left_out` counts processes
    that ended well and do not count: disturbed ones, and those in another environment. `planned`
    and `wanted` are those of the samples. `medians` has the median of each process that counts, by
    the process's number; `details` are those of the last process. `launching` is the share of the
    time in which the host of a GPU launched kernels, in the median block. A `disturbed` value rests
    on disturbed processes too, because too few were calm.
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
        return METRICS[self.metric]

    @property
    def estimate(self) -> Estimate | None:
        return None if self.value is None else Estimate(self.value, self.low, self.high, self.n)

    @property
    def cell(self) -> str:
        """The key of the cell that it comes from."""
        return f"{self.model}/{self.measure}/{self.setting}"

    @property
    def launch_bound(self) -> bool:
        """Whether the value measures the host that launches the kernels, rather than the GPU."""
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
    """The values that the report shows: a row for each metric of each cell that was planned.

    `value`, `low` and `high` are in base units, `low` and `high` the ends of the 95 % interval.
    `Result` says what the other columns hold. Texts are categoricals.

    Args:
        samples: as `cmx_bench.load` gives them, or some of their rows.

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
    columns = [*KEYS, *_SHARED, *_OF_SAMPLE, *["launching"] * ("launching" in samples)]
    rows = samples.loc[samples["metric"].isin(list(METRICS)), columns].itertuples(index=False)
    cells = group(rows, attrgetter(*KEYS)).values()
    return [_result(cell) for cell in cells if any(row.why not in ASIDE for row in cell)]


_SHARED = ("label", "family", "architecture", "recipe", "measure", "unit", "planned")
_OF_SAMPLE = (
    "wanted", "status", "reason", "why", "record", "replicate", "value", "counts", "disturbed",
    "details",
)  # fmt: skip


def _result(every: Sequence[Any]) -> Result:
    """The row of all samples of one metric of a cell."""
    rows = [row for row in every if row.why not in ASIDE]
    first, measured = rows[0], [row for row in rows if row.status == "ok"]
    metric, values = METRICS[first.metric], {row.value for row in measured}
    processes = list(group((row for row in rows if row.counts), attrgetter("record")).values())
    medians = [statistics.median(row.value for row in process) for process in processes]
    failure = "; ".join(dict.fromkeys(row.reason for row in rows if row.status == "failed"))
    status, reason, estimate = rows[-1].status, rows[-1].reason, None
    if metric.exact and len(values) > 1:
        listed = ", ".join(f"{value:.17g}" for value in sorted(values))
        failure = f"an exact metric came out differently: {listed}"
    elif medians:
        estimate = _estimate(metric, measured, medians)
    elif values:  # of a user who looks at what does not count
        status, reason = "not measured", "none of its samples counts"
    if failure or medians:
        status, reason = "failed" if failure else "ok", failure
    launching = [each for row in rows if pd.notna(each := getattr(row, "launching", None))]
    records = {row.record for row in measured}
    over = ("seeds" if len(records) > 1 else "images") if metric.noise == "image" else "processes"
    ended = {row.record for row in every if row.status == "ok"}
    value, low, high, n = (
        (estimate.value, estimate.low, estimate.high, estimate.n) if estimate
        else (None, None, None, 0)
    )  # fmt: skip
    return Result(
        **{name: getattr(first, name) for name in (*KEYS, *_SHARED)},
        value=value, low=low, high=high, n=n, over=over,
        status=status, reason=reason, left_out=len(ended) - len(processes),
        wanted=None if pd.isna(first.wanted) else first.wanted,
        medians={process[0].replicate: median
                 for process, median in zip(processes, medians, strict=True)},
        details=measured[-1].details if measured else {},
        launching=statistics.median(launching) if launching else None,
        disturbed=any(row.disturbed and row.counts for row in rows),
    )  # fmt: skip


def _estimate(metric: Metric, measured: Sequence[Any], medians: Sequence[float]) -> Estimate:
    values, details = [row.value for row in measured], measured[0].details
    if metric.exact:
        return Estimate(values[0], None, None, len({row.record for row in measured}))
    if metric.noise != "image":
        return stats.of_medians(medians)
    if not {"images", "correct"} <= details.keys():
        raise ValueError(f"details: those of {metric.name} lack the images that it rests on; "
                         "give what cmx_bench.load gives")  # fmt: skip
    if len(values) == 1:
        return stats.proportion(details["correct"][metric.name], details["images"])
    return stats.over_seeds(values, details["images"])
