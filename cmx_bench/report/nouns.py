"""What can be said of a run: the nouns that `summary` makes and every table and figure reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from cmx_bench.cell import Model, Setting
from cmx_bench.metrics import METRICS, Metric
from cmx_bench.report.counterparts import Counterparts
from cmx_bench.report.gaps import Gap
from cmx_bench.results.agreement import NO_VOTES, Votes
from cmx_bench.results.records import Record, Run
from cmx_bench.results.stats import Estimate

Status: TypeAlias = Literal["ok", "failed", "skipped", "not measured"]

_IMAGENET = re.compile(r"(.*/)?(imagenet|ilsvrc2012)([-_]?1k)?([-_]wds)?([-_]val(idation)?)?")


@dataclass(frozen=True, slots=True)
class Process:
    """The raw samples, in base units, of one metric in one fresh process.

    `discarded` are those that do not count, taken under disturbed conditions. Where the process is
    `disturbed`, so were some of those that count: there were too few others; unless it `counts`,
    there are enough processes that were not. `elapsed` are the
    seconds that the process took; `covariates` the conditions of every sample taken, in order: see
    `measures.conditions`. Conditions are those of a measure's first metric. `details` are what else
    its record holds.
    """

    replicate: int
    samples: tuple[float, ...]
    environment: str
    elapsed: float
    discarded: tuple[float, ...] = ()
    disturbed: bool = False
    covariates: Mapping[str, Sequence[float]] = field(default_factory=dict)
    counts: bool = True
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """One metric of one model in one setting.

    `setting` is the cell's setting key: `r224` for what does not depend on more than the image
    size. `estimate` may be there although `status` is "failed": then some processes failed.
    `planned` is the number of processes asked for, the least where a `precision` is wanted too (a
    share of the value, for the first metric of a precise measure); `reason` says why a result
    failed, or what a skipped one lacks. `details` are the last record's.
    """

    model: Model
    setting: str
    metric: Metric
    status: Status
    estimate: Estimate | None
    processes: tuple[Process, ...]
    planned: int
    reason: str
    precision: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cell(self) -> str:
        """The key of the cell that it comes from."""
        return f"{self.model.name}/{self.metric.measure}/{self.setting}"

    @property
    def counting(self) -> tuple[Process, ...]:
        """The processes that the estimate rests on."""
        return tuple(one for one in self.processes if one.counts)

    @property
    def over(self) -> str:
        """What its interval is over."""
        if self.metric.noise != "image":
            return "processes"
        return "seeds" if len(self.processes) > 1 else "images"

    @property
    def wide(self) -> bool:
        """Whether the interval is wider than wanted, or there is none."""
        if self.precision is None or self.estimate is None:
            return False
        return not self.estimate.within(self.precision)


@dataclass(frozen=True, slots=True)
class Failure:
    """A process that failed, or exact values that contradict each other (`replicate` is None)."""

    cell: str
    replicate: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A record that counts for nothing, and the fields in which its environment differs.

    `differences` maps each field to this record's value and that of the majority.
    """

    cell: str
    replicate: int
    environment: str
    reason: str
    differences: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Progress:
    """Cells by how they ended, and the seconds that measuring took."""

    ok: int
    failed: int
    missing: int
    seconds: float
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks whose conditions were watched, over all counted processes.

    `reasons` counts the discarded ones by the words of `measures.conditions`; one may have several.
    `processes` took the blocks; the `disturbed_processes` had to keep some that were taken under
    disturbed conditions, those `without_gpu_conditions` measured on a GPU that nobody watched.
    """

    taken: int
    discarded: int
    reasons: Mapping[str, int]
    processes: int
    disturbed_processes: int
    without_gpu_conditions: int


@dataclass(frozen=True, slots=True)
class Report:
    """All that a run has to say. `results` are keyed by model name, setting key and metric name.

    `environments` maps each setting key to the environment that its counted records share.
    `records` are the raw ones it was made from; the last may have been written by half, and be
    `unfinished`: then it is not among them. `votes` are what models said of each image,
    `thumbnails` small copies of some, by number, as JPEG.
    """

    run: Run
    records: tuple[Record, ...]
    results: Mapping[tuple[str, str, str], Result]
    published: Mapping[str, Counterparts]
    environments: Mapping[str, str]
    failures: tuple[Failure, ...]
    left_out: tuple[LeftOut, ...]
    gaps: tuple[Gap, ...]
    progress: Progress
    blocks: Blocks
    unfinished: bool = False
    votes: Votes = NO_VOTES
    thumbnails: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def over_seeds(self) -> bool:
        """Whether each top-1 is a mean over several trainings; `votes` are of the first of them."""
        return len(self.run.seeds) > 1

    def result(self, model: Model, setting_key: str, image_size: int, metric: str) -> Result | None:
        """The result of a setting, or the one that all settings of its image size share."""
        shared = self.results.get((model.name, f"r{image_size}", metric))
        return self.results.get((model.name, setting_key, metric), shared)

    def estimate(self, model: Model, setting: Setting, metric: str) -> Estimate | None:
        """The estimate of a setting's result, where there is one."""
        result = self.result(model, setting.key, setting.image_size, metric)
        return None if result is None else result.estimate

    @property
    def on_imagenet(self) -> bool:
        """Whether top-1 was measured on what published figures are of, by the data set's name."""
        asked = self.run.accuracy
        whole = not (asked.get("real_labels") or asked.get("valid_labels"))
        return whole and bool(_IMAGENET.fullmatch(str(asked.get("dataset", "")).lower()))

    def metrics(self) -> list[Metric]:
        """The metrics that the run has results of, in the order of `METRICS`."""
        found = {metric for _, _, metric in self.results}
        return [metric for name, metric in METRICS.items() if name in found]
