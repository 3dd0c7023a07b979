"""The nouns of a report. `reading` makes them, and every table and figure reads them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pandas import DataFrame

from cmx_bench.cell import Model, Setting
from cmx_bench.measures import MEASURES
from cmx_bench.metrics import METRICS, Metric, first_of
from cmx_bench.published import Counterparts
from cmx_bench.results import frame
from cmx_bench.results.agreement import NO_VOTES, Voter, Votes
from cmx_bench.results.frame import Process
from cmx_bench.results.gaps import Gap
from cmx_bench.results.records import RECORDS, RUNS, Record, Run
from cmx_bench.results.stats import Estimate
from cmx_bench.results.summary import Result

# What names a result of a run: a model, the key of a setting, a metric.
Key = tuple[str, str, str]


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
    """Cells by how they ended, and the seconds in which anything was measured: see `wall`."""

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


@dataclass(frozen=True)
class Report:
    """Everything that a report shows of a run.

    `samples` are the frame that its `records` make, `results` the rows of its summary, by model
    name, setting key and metric name. `environments` maps each setting key to the environment that
    its counted records share. The last record may have been written by half, and be `unfinished`:
    then it is not among them. `votes` are what models said of each image, `thumbnails` small
    copies of some, by number, as JPEG.
    """

    run: Run
    records: tuple[Record, ...]
    samples: DataFrame
    results: Mapping[Key, Result]
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

    @cached_property
    def content_hash(self) -> str:
        """Proves that a report was made from these records."""
        return content_hash(self.run, self.records)

    @property
    def over_seeds(self) -> bool:
        """Whether each top-1 is a mean over several trainings; `votes` are of the first of them."""
        return len(self.run.seeds) > 1

    @property
    def voters(self) -> list[Voter]:
        """The evaluated models, each in each setting."""
        return [(model, setting) for model, setting, metric in self.results if metric == "top1"]

    @cached_property
    def models(self) -> Mapping[str, Model]:
        return {model.name: model for model in self.run.models}

    def result(self, model: Model, setting: Setting, metric: str) -> Result | None:
        """The result of a setting, or the one that all settings of its image size share."""
        shared = self.results.get((model.name, f"r{setting.image_size}", metric))
        return self.results.get((model.name, setting.key, metric), shared)

    def column(self, setting: Setting, metric: str) -> list[Result | None]:
        """The results of all models in a setting."""
        return [self.result(model, setting, metric) for model in self.run.models]

    def estimate(self, model: Model, setting: Setting, metric: str) -> Estimate | None:
        """The estimate of a setting's result, if there is one."""
        result = self.result(model, setting, metric)
        return None if result is None else result.estimate

    def is_timed(self, model: Model, setting: Setting) -> bool:
        """Whether any speed of a model was measured in a setting."""
        names = (first_of(name) for name, info in MEASURES.items() if info.precise)
        return any(self.estimate(model, setting, name) is not None for name in names)

    @cached_property
    def processes(self) -> Mapping[Key, Sequence[Process]]:
        """What each fresh process gave, by the key of its result."""
        return frame.processes(self.samples)

    @property
    def on_imagenet(self) -> bool:
        """Whether top-1 was measured on what published figures are of, by the data set's name."""
        return frame.on_imagenet(self.run)

    @cached_property
    def has_top1(self) -> bool:
        """Whether any model was evaluated, or failed to be evaluated."""
        return any(
            metric == "top1" and result.status in ("ok", "failed")
            for (*_, metric), result in self.results.items()
        )

    def metrics(self) -> list[Metric]:
        """The metrics that the run has results of, in the order of `METRICS`."""
        present = {metric for _, _, metric in self.results}
        return [metric for name, metric in METRICS.items() if name in present]


def content_hash(run: Run, kept: Iterable[Record]) -> str:
    """SHA-256 of the run's request and of all its measurements, in hexadecimal digits.

    What holds its default counts as absent: fields of a later schema change no earlier hash.
    """
    of_run = RUNS.dump_python(run, **_WRITTEN)
    content = [of_run, *(RECORDS.dump_python(record, **_WRITTEN) for record in kept)]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


_WRITTEN: Any = {"mode": "json", "exclude_defaults": True, "exclude": {"schema"}}
