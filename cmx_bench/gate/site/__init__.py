"""A site of many runs: an index, the page of each run, and the history of each suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from cmx_bench.gate.history import PastRun, gathering
from cmx_bench.gate.outputs.sentences import one_line
from cmx_bench.results import environment
from cmx_bench.results.details import Facts
from cmx_bench.results.nouns import Report
from cmx_bench.results.validation import STRICT, Moment, NotNegative

# Makes the files of a run's page, by name; the text leads from it to the site's folder.
Render: TypeAlias = Callable[[Report, str], Mapping[str, str | bytes]]
PAGE = "report.html"


@dataclass(frozen=True, slots=True)
class Listed:
    """A run, as the index lists it: all that it says of the run, whatever others there are.

    `machine` are the facts that tell machines apart, `failed` the keys of cells that failed, of
    `cells` that were planned and `measured` that were. `disturbed` counts values that rest on
    disturbed processes. `in_history` are neither quick runs nor single replicates.
    """

    __pydantic_config__ = STRICT

    suite: str
    title: str
    created: Moment
    finished: bool
    quick: bool
    machine: Facts
    commit: str
    versions: tuple[str, ...]
    models: tuple[str, ...]
    labels: tuple[str, ...]
    settings: tuple[str, ...]
    setting_names: tuple[str, ...]
    cells: NotNegative
    measured: NotNegative
    failed: tuple[str, ...]
    disturbed: NotNegative
    in_history: bool = True

    def past(self, machine: str, folder: Path) -> PastRun:
        """The same as histories name it; `folder` has its page, `machine` is its machine's name."""
        return PastRun(
            folder=folder, suite=self.suite, machine=machine, created=self.created,
            commit=self.commit, versions=self.versions, cells=self.cells, failed=self.failed,
            page=folder / PAGE,
        )  # fmt: skip


def list_run(report: Report) -> Listed:
    """A run, as the index lists it."""
    run = report.run
    shared = next(iter(report.environments.values()), None)
    return Listed(
        suite=one_line(run.suite),
        title=one_line(run.title),
        created=run.created,
        finished=bool(run.finished),
        quick=run.quick,
        machine=gathering.machine_of(run),
        commit=one_line(environment.commit(run.machine)),
        versions=gathering.versions(run.environments[shared] if shared else run.machine),
        models=tuple(one_line(model.name) for model in run.models),
        labels=tuple(one_line(model.label) for model in run.models),
        settings=tuple(one_line(setting.key) for setting in run.settings),
        setting_names=tuple(one_line(setting.name) for setting in run.settings),
        cells=len(run.cells),
        measured=report.progress.ok,
        failed=tuple(dict.fromkeys(failure.cell for failure in report.failures)),
        disturbed=sum(result.disturbed for result in report.results.values()),
        in_history=not run.quick and run.replicate is None,
    )
