"""A run's folder: what was asked for in run.json, what was measured in records.jsonl.

A record is appended and flushed as soon as its cell is measured, so that a run can be killed at
any moment and lose one cell at most.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias, TypeVar

from cmx_bench.cell import Model, Setting
from cmx_bench.errors import RecordsError
from cmx_bench.spec.claims import Claim

# 1 had no covariates, no discarded samples, no precision; 2 no details, no accuracy, no claims.
SCHEMA = 3
Environment: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """What one execution of a cell gave in one fresh process.

    `values` maps each metric to its raw samples in base units; `reason` says why a cell failed, or
    what a skipped one lacks. `environment` is a key of the run's environments; `started` is UTC in
    ISO 8601, `elapsed` seconds. `covariates` maps each condition that was watched to its value for
    every sample taken, in order: see `measures.conditions`. `discarded` maps a metric to the raw
    samples that count for nothing because of these. `details` hold what else belongs to the values:
    of an accuracy the images, the preprocessing and the weights. A failed or skipped record counts
    until its execution is tried again.
    """

    cell: str
    model: str
    measure: str
    setting: str
    replicate: int
    status: Literal["ok", "failed", "skipped"]
    values: Mapping[str, list[float]]
    reason: str
    environment: str
    started: str
    elapsed: float
    covariates: Mapping[str, list[float]] = field(default_factory=dict)
    discarded: Mapping[str, list[float]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class Run:
    """What a run was asked to do, and in which environments it did it.

    `cells` are the keys of all planned cells; `only` the globs they were chosen by. `unavailable`
    maps the settings of the suite that this device cannot measure to the reason. `machine` is the
    environment before any setting was applied. `finished` is empty until every planned cell was
    tried. With a `precision`, the share to which sampled values were wanted, `replicates` is the
    least number of processes. `accuracy` is the suite's, with the `path` of the images, where it
    is measured. `claims` are the suite's as it was last run.
    """

    suite: str
    title: str
    suite_hash: str
    suite_path: str
    device: str
    models: tuple[Model, ...]
    settings: tuple[Setting, ...]
    measures: tuple[str, ...]
    cells: tuple[str, ...]
    replicates: int
    only: tuple[str, ...]
    unavailable: Mapping[str, str]
    command: str
    created: str
    finished: str = ""
    precision: float | None = None
    accuracy: Mapping[str, Any] = field(default_factory=dict)
    machine: Environment = field(default_factory=dict)
    environments: Mapping[str, Environment] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    schema: int = SCHEMA

    @property
    def trains(self) -> bool:
        """Whether models were trained here before they were evaluated."""
        return bool(self.accuracy.get("train"))

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """The seeds that models were trained with; one None where they were not."""
        return tuple(self.accuracy["seeds"]) if self.trains else (None,)


def append(folder: Path, record: Record) -> None:
    """Adds `record` to the folder's records and flushes it to the disk.

    An unfinished last line, which only a kill leaves behind, is cut off first.

    Raises:
        RecordsError: the folder cannot be written.
    """
    path = folder / "records.jsonl"
    line = json.dumps(dataclasses.asdict(record), allow_nan=False) + "\n"
    try:
        with path.open("ab+") as file:
            file.truncate(_whole_lines(path))
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise RecordsError(f"{path}: cannot be written: {error.strerror}") from error


def _whole_lines(path: Path) -> int:
    """The size in bytes of the file up to its last line feed."""
    with path.open("rb") as file:
        position = file.seek(0, os.SEEK_END)
        while position:
            position = file.seek(max(0, position - 4096))
            if (found := file.read(4096).rfind(b"\n")) >= 0:
                return position + found + 1
    return 0


def read(folder: Path) -> list[Record]:
    """All records of a run, in the order in which they were measured.

    An unfinished last line is passed over: its cell counts as not measured.

    Raises:
        RecordsError: a record cannot be read, or was written by a newer cmx-bench.
    """
    path = folder / "records.jsonl"
    if not path.exists():
        return []
    *lines, _unfinished = text_of(path).split("\n")
    return [
        record_of(_parsed(line, where), where)
        for number, line in enumerate(lines, 1)
        if (where := f"{path}:{number}")
    ]


def unfinished(folder: Path) -> bool:
    """Whether the last record was written by half, and counts for nothing: after a kill."""
    path = folder / "records.jsonl"
    return path.exists() and _whole_lines(path) < path.stat().st_size


def _parsed(text: str, where: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise RecordsError(f"{where}: is not valid JSON: {error}") from error
    if not isinstance(values, dict):
        raise RecordsError(f"{where}: expected a JSON object")
    return values


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps a run's records to one process; the lock goes with the process, however it ends.

    Raises:
        RecordsError: another process measures into the folder, or it cannot be written.
    """
    path = folder / "records.jsonl"
    try:
        file = path.open("ab")
    except OSError as error:
        raise RecordsError(f"{path}: cannot be written: {error.strerror}") from error
    with file:
        if not _lock(file):
            raise RecordsError(
                f"{folder}: another process measures into it; wait for it or give another --out"
            )
        yield


def is_locked(folder: Path) -> bool:
    """Whether a process is measuring into a run's folder."""
    with (folder / "records.jsonl").open("ab") as file:
        return not _lock(file)


def _lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_run(folder: Path, run: Run) -> None:
    """Writes run.json at once or not at all.

    Raises:
        RecordsError: the folder cannot be made or written.
    """
    path = folder / "run.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(dataclasses.asdict(run), indent=1) + "\n")
    except OSError as error:
        raise RecordsError(f"{path}: cannot be written: {error.strerror}") from error


def write_atomically(path: Path, text: str) -> None:
    """Replaces the file's text so that a reader sees the old one or the new one, never half."""
    draft = path.with_name(path.name + ".part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def write_rendered(folder: Path, folders: Iterable[str], files: Mapping[str, str | bytes]) -> None:
    """Writes files into a folder, in their order; of a text a reader sees all or nothing.

    Args:
        folders: to be made inside first.

    Raises:
        RecordsError: the folder cannot be made or written.
    """
    try:
        for name in ("", *folders):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            if isinstance(content, bytes):
                (folder / name).write_bytes(content)
            else:
                write_atomically(folder / name, content)
    except OSError as error:
        where = error.filename or folder
        raise RecordsError(f"{where}: cannot be written: {error.strerror}") from error


def name_of_new(machine: Environment, now: datetime) -> str:
    """The name of a new folder: `TIME-DEVICE`."""
    device = re.sub(r"[^a-z0-9]+", "-", str(machine["device_name"]).lower()).strip("-")
    return f"{now:%Y%m%dT%H%M%SZ}-{device[:40]}"


def read_run(folder: Path) -> Run:
    """The run in a folder.

    Raises:
        RecordsError: there is none, it cannot be read, or a newer cmx-bench wrote it.
    """
    path = folder / "run.json"
    if not path.exists():
        raise RecordsError(f"{folder}: holds no run (no run.json); give the folder of a run")
    return run_of(_parsed(text_of(path), str(path)), str(path))


def run_of(values: Mapping[str, Any], where: str) -> Run:
    """The run that was written as `values`.

    Raises:
        RecordsError: they are none, or a newer cmx-bench wrote them; the text names `where`.
    """
    run = _decoded(Run, values, where)
    return dataclasses.replace(
        run,
        models=tuple(_decoded(Model, model, where) for model in values["models"]),
        settings=tuple(_decoded(Setting, setting, where) for setting in values["settings"]),
        measures=tuple(run.measures),
        cells=tuple(run.cells),
        only=tuple(run.only),
        claims=tuple(_decoded(Claim, claim, where) for claim in values.get("claims", ())),
    )


def record_of(values: Mapping[str, Any], where: str) -> Record:
    """The record that was written as `values`.

    Raises:
        RecordsError: they are none, or a newer cmx-bench wrote them; the text names `where`.
    """
    return _decoded(Record, values, where)


def text_of(path: Path) -> str:
    """The text of a file.

    Raises:
        RecordsError: it cannot be read, or is no UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordsError(f"{path}: cannot be read: {error}") from error


_Noun = TypeVar("_Noun")


def _decoded(noun: type[_Noun], values: Mapping[str, Any], where: str) -> _Noun:
    if values.get("schema", SCHEMA) > SCHEMA:
        raise RecordsError(
            f"{where}: schema {values['schema']} was written by a newer cmx-bench; "
            f"this one reads up to {SCHEMA}, upgrade it"
        )
    try:
        return noun(**values)
    except TypeError as error:
        raise RecordsError(f"{where}: not a {noun.__name__.lower()}: {error}") from error


def content_hash(run: Run, found: Iterable[Record]) -> str:
    """SHA-256 of what a run was asked to do and of all that it measured, in hexadecimal digits.

    What holds its default counts as absent: fields of a later schema change no earlier hash.
    """
    content = [_canonical(run), *(_canonical(record) for record in found)]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: object) -> object:
    if dataclasses.is_dataclass(value):
        return {
            one.name: _canonical(mine)
            for one in dataclasses.fields(value)
            if one.name != "schema" and (mine := getattr(value, one.name)) != _default(one)
        }
    if isinstance(value, Mapping):
        return {key: _canonical(one) for key, one in value.items()}
    return [_canonical(one) for one in value] if isinstance(value, list | tuple) else value


def _default(one: dataclasses.Field[Any]) -> object:
    factory = one.default_factory
    return one.default if factory is dataclasses.MISSING else factory()
