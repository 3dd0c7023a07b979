"""The folder of a run: run.json holds the request, and records.jsonl the measurements.

A record is appended and flushed as soon as its cell is measured, so that a run can be killed at
any moment and lose one cell at most.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import FailFast, Field, TypeAdapter

from cmx_bench.cell import Model, Positive, Setting
from cmx_bench.errors import RecordsError
from cmx_bench.results import collector, gaps, lines
from cmx_bench.results.contradictions import (
    is_tried_again,
    refuse_in_record,
    refuse_in_run,
    refuse_other_origin,
)
from cmx_bench.results.details import AnyAccuracy, AnyDetails, Facts
from cmx_bench.results.neighbours import Neighbours
from cmx_bench.results.validation import (
    STRICT,
    Amount,
    DamageError,
    Moment,
    NotNegative,
    Number,
    Share,
    decode,
)
from cmx_bench.spec import command, disk
from cmx_bench.spec.claims import Claim
from cmx_bench.spec.schema import MOST_ITEMS

if TYPE_CHECKING:
    from cmx_bench.models.importing import Origin

SCHEMA = 3
Environment: TypeAlias = dict[str, Any]
Samples: TypeAlias = Mapping[str, Annotated[list[Number], FailFast()]]


@dataclass(frozen=True, slots=True)
class Record:
    """The result of one execution of a cell in one fresh process.

    `values` maps each metric to its raw samples in base units; `reason` says why a cell failed, or
    what a skipped one lacks. `environment` is a key of the run's environments; `started` is UTC in
    ISO 8601, `elapsed` seconds. `covariates` maps each condition (`measures.conditions`) to its
    values, one for each sample in the order of measuring. `discarded` maps a metric to the raw
    samples that were discarded because of these. `details` hold what else belongs to the values:
    of an accuracy the images, the preprocessing and the weights. A failed or skipped record counts
    until its execution is tried again.
    """

    __pydantic_config__ = STRICT

    cell: str
    model: str
    measure: str
    setting: str
    replicate: NotNegative
    status: Literal["ok", "failed", "skipped"]
    values: Samples
    reason: str
    environment: str
    started: Moment
    elapsed: Amount
    covariates: Samples = field(default_factory=dict)
    discarded: Samples = field(default_factory=dict)
    details: AnyDetails = field(default_factory=dict)
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class Run:
    """The request of a run, and the environments in which it was measured.

    `cells` are the keys of all planned cells, chosen by the globs `only`. `unavailable` has the
    settings that this device cannot measure, with the reason. `machine` is the environment before
    any setting was applied. If there are devices of several kinds, `machines` has one for each
    `hardware` of the settings, and `machine` is the first. `finished` is empty until every planned
    cell was tried. `precision` is the share to which the suite wants sampled values; `replicates`
    is then the least number of processes. `accuracy` is the suite's, with the `path` of the images.
    `claims` are the suite's when it was last run. `budget` are the seconds for repeating cells, and
    `cut_off` says how many processes each cell lost to it. `neighbours` is what other programs did
    just before. `parts` are the command lines of the runs that were merged into this one. `added`
    are models of the command line; without a suite (an empty `suite_path`) there are no others.
    A `quick` run had at most two rounds and a minute. A run with a `replicate` measured only that
    one, as a part of another run.
    """

    __pydantic_config__ = STRICT

    suite: str
    title: str
    suite_hash: str
    suite_path: str
    device: str
    models: Annotated[tuple[Model, ...], FailFast()]
    settings: Annotated[tuple[Setting, ...], FailFast()]
    measures: Annotated[tuple[str, ...], FailFast()]
    cells: Annotated[tuple[str, ...], FailFast()]
    replicates: Positive
    only: tuple[str, ...]
    unavailable: Mapping[str, str]
    command: str
    created: Moment
    finished: Moment | Literal[""] = ""
    precision: Share | None = None
    accuracy: AnyAccuracy = field(default_factory=dict)
    machine: Facts = field(default_factory=dict)
    environments: Mapping[str, Facts] = field(default_factory=dict)
    claims: Annotated[tuple[Claim, ...], Field(max_length=MOST_ITEMS)] = ()
    budget: Amount | None = None
    cut_off: Mapping[str, Positive] = field(default_factory=dict)
    neighbours: Neighbours | None = None
    parts: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    quick: bool = False
    replicate: NotNegative | None = None
    machines: Mapping[str, Facts] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def name(self) -> str:
        """The suite and when the run began: `paper 2026-11-23 04:35:54`, with `quick` behind."""
        quick = " quick" if self.quick else ""
        return f"{self.suite} {self.created[:19].replace('T', ' ')}{quick}"

    @property
    def kinds(self) -> Mapping[str, Environment]:
        """A machine of each kind of device, by the name of the kind, which is empty where all
        devices are of one kind."""
        return self.machines or {"": self.machine}

    @property
    def device_name(self) -> str:
        """The device's name; of several kinds the names of all."""
        return " and ".join(self.machines) or str(self.machine.get("device_name", self.device))

    @property
    def words(self) -> list[str]:
        """The suite as a command line names it."""
        return command.words(self.suite_path or None, self.added, self.quick)

    @property
    def resumption(self) -> str:
        """The command that measures what is missing."""
        if self.parts:
            return "finish the parts, and merge them again"
        return self.command.replace(" --fresh", "")

    @property
    def trains(self) -> bool:
        """Whether models were trained here before they were evaluated."""
        return bool(self.accuracy.get("train"))

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """The seeds that models were trained with; one None where they were not."""
        return tuple(self.accuracy["seeds"]) if self.trains else (None,)

    @property
    def with_weights(self) -> tuple[Model, ...]:
        """The models that come with weights. Such models are not trained."""
        return tuple(model for model in self.models if model.weights is not None)


RECORDS, RUNS = TypeAdapter(Record), TypeAdapter(Run)


@contextmanager
def appending(folder: Path) -> Iterator[Callable[[str], None]]:
    """What adds the line of a record to the folder's and flushes it to the disk.

    An unfinished last line, which only a kill leaves behind, is cut off first; one that lacks no
    more than its line feed gets it. The file is held open: one that is deleted or replaced
    meanwhile is not made anew, for it would lack records.

    Raises:
        RecordsError: the folder cannot be written.
    """
    path = folder / "records.jsonl"
    with disk.writing(path):
        held = disk.appending(path, buffering=0)

    def append(text: str) -> None:
        line = text.encode()
        with disk.writing(path):
            if not os.path.samestat(path.stat(), os.fstat(held.fileno())):
                raise RecordsError(f"{path}: another file took its place meanwhile")
            last = lines.read_unended(held)
            if held.tell() + len(line) > disk.LARGEST:
                raise RecordsError(f"{path}: is full: with another record no command would read "
                                   f"it; leave the rest to another suite")  # fmt: skip
            if lines.is_half(last):
                held.truncate(held.tell() - len(last))
            elif last:
                line = b"\n" + line
            while line:  # a disk may have room for a part of it
                line = line[held.write(line) :]
            os.fsync(held.fileno())

    with held:
        yield append


def line_of(record: Record) -> str:
    """A record as it stands in the file."""
    return disk.json_of(dataclasses.asdict(record))


def make_sound(record: Record) -> tuple[Record, str]:
    """The record as it is or, where it holds what cannot be, a failed one that says so: a reader
    would refuse the whole run. With it its line."""
    line = line_of(record)
    try:
        refuse_in_record(decode(RECORDS, line, SCHEMA), None, None)
    except DamageError as error:
        reason = f"what was measured cannot be: {error.at('')}"
        record = dataclasses.replace(
            record, status="failed", values={}, reason=reason, covariates={}, discarded={},
            details={},
        )  # fmt: skip
        line = line_of(record)
    return record, line


def read(folder: Path) -> list[Record]:
    """All records of a run, in the order in which they were measured.

    A last line that was written by half is passed over: its cell counts as not measured.

    Raises:
        RecordsError: a record is damaged, repeats another, contradicts itself or run.json,
            or is of another schema; the text names file, line and field.
    """
    path = disk.within(folder, "records.jsonl")
    if not path.exists():
        return []
    run = read_run(folder) if (folder / "run.json").exists() else None
    return _in_order(lines.whole(path), lambda number: f"{path}:{number}", run)


@collector.pausing()
def _in_order(
    texts: Iterable[tuple[int, str | bytes]], where: Callable[[int], str], run: Run | None
) -> list[Record]:
    """The records that were written one after the other, each with its number; `where` gives the
    place of a number."""
    planned = None if run is None else gaps.replicates(run)
    environments = None if run is None else run.environments
    numbers: dict[str | bytes, int] = {}
    latest: dict[tuple[str, int], tuple[int, Record]] = {}
    origins: dict[str, Origin] = {}
    records = []
    for number, text in texts:
        if (earlier := numbers.setdefault(text, number)) != number:
            raise RecordsError(f"{where(number)}: repeats line {earlier}; remove it")
        try:
            record = decode(RECORDS, text, SCHEMA)
            refuse_in_record(record, planned, environments)
            refuse_other_origin(record, origins)
        except DamageError as error:
            raise error.at(where(number)) from error
        before = latest.get(process := (record.cell, record.replicate))
        if before is not None and not is_tried_again(record, before[1]):
            raise RecordsError(
                f"{where(number)}: replicate: process {record.replicate} of {record.cell} "
                f"ended well in line {before[0]}; remove one of the two"
            )
        latest[process] = number, record
        records.append(record)
    return records


def write_run(folder: Path, run: Run) -> None:
    """Makes a run's folder, and writes run.json at once or not at all.

    Raises:
        RecordsError: the folder cannot be made or written.
    """
    with disk.writing(folder / "run.json"):
        folder.mkdir(parents=True, exist_ok=True)
    rewrite_run(folder, run)


def rewrite_run(folder: Path, run: Run) -> None:
    """The same in a folder that must be there still.

    Raises:
        RecordsError: it is gone, or cannot be written.
    """
    disk.write(folder / "run.json", disk.json_of(dataclasses.asdict(run), indent=1))


def read_run(folder: Path) -> Run:
    """The run in a folder.

    Raises:
        RecordsError: there is none, it is damaged, contradicts itself, or is of another schema; the
            text names file, line and field.
    """
    path = disk.within(folder, "run.json")
    if not path.exists():
        below = max((*folder.glob("*/run.json"), *folder.glob("*/*/run.json")), default=None)
        hint = f", such as {below.parent}" if below else ""
        raise RecordsError(f"{folder}: holds no run (no run.json); give the folder of a run{hint}")
    try:
        return _run(disk.text_of(path, RecordsError))
    except DamageError as error:
        raise error.at(f"{path}{lines.place_of(path, error.location)}") from error


def run_of(values: Mapping[str, Any], where: str) -> Run:
    """The run that was written as `values`.

    Raises:
        RecordsError: as `read_run`; the text names `where`.
    """
    try:
        return _run(json.dumps(values))
    except DamageError as error:
        raise error.at(where) from error


def _run(text: str) -> Run:
    run = decode(RUNS, text, SCHEMA)
    refuse_in_run(run)
    return run


def records_of(values: Iterable[Mapping[str, Any]], where: str, run: Run) -> list[Record]:
    """The records of `run` that were written as `values`.

    Raises:
        RecordsError: as `read`; the text names `where`.
    """
    texts = enumerate(map(json.dumps, values), 1)
    return _in_order(texts, lambda number: f"{where}: line {number} of its records", run)
