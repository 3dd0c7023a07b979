"""The folder of a comparison or a self-test: what was asked in gate.json, pairs in pairs.jsonl."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cmx_bench.errors import RecordsError
from cmx_bench.gate.alongside import Alongside
from cmx_bench.gate.pairs import Pair
from cmx_bench.gate.verdict import Contrast
from cmx_bench.plan import Plan
from cmx_bench.results import environment
from cmx_bench.results.runfolder import name_of_new, refuse_for_others, write_files
from cmx_bench.spec import disk

SCHEMA = 1


def open_folder(plan: Plan, out: Path | None, command: str, about: Mapping[str, Any]) -> Path:
    """A new folder for the pairs of a plan: `reports/COMMAND-SUITE/TIME-DEVICE`.

    Args:
        out: the folder asked for, instead.
        about: what was asked, besides the suite and the machine.

    Raises:
        RecordsError: the folder holds pairs already, or a run, or cannot be made.
    """
    now, suite = datetime.now(UTC), plan.suite_file.suite
    name = name_of_new(plan.device_name, now)
    folder = out or Path("reports") / f"{command}-{suite.name}" / name
    refuse_folder(folder)
    text = {
        "schema": SCHEMA, "created": now.isoformat(timespec="seconds"), "suite": suite.name,
        "suite_hash": plan.suite_file.hash, "machine": plan.machine, "environments": {}, **about,
    }  # fmt: skip
    write_files(folder, {"gate.json": disk.json_of(text, indent=1)})
    return folder


def refuse_folder(folder: Path | None) -> None:
    """Refuses a folder in which no new pairs can be kept; without one, `reports` is tried.

    Raises:
        RecordsError: it holds pairs already, or a run, or cannot be there.
    """
    refuse_for_others(folder or Path("reports"))
    if folder is not None and (folder / "pairs.jsonl").exists():
        raise RecordsError(f"{folder}: already holds pairs; give another --out")


def append(folder: Path, pair: Pair | Alongside, **more: Any) -> None:
    """Adds a pair as one line, flushed; its environments by their digests, and `more` about it.

    Raises:
        RecordsError: the folder cannot be written.
    """
    line = asdict(pair) | more
    if isinstance(pair, Pair):
        named = [(environment.digest(each), each) for each in pair.environments]
        line["environments"] = [digest for digest, _ in named]
        _add(folder, "environments", dict(named))
    path = folder / "pairs.jsonl"
    with disk.writing(path), disk.appending(path) as file:
        file.write(disk.json_of(line).encode())


def keep_code(folder: Path, contrasts: Sequence[Contrast]) -> None:
    """Adds to gate.json how the code differs between head and each base.

    Raises:
        RecordsError: the folder cannot be written.
    """
    _add(folder, "code", {each.against: asdict(each) for each in contrasts})


def _add(folder: Path, key: str, values: Mapping[str, Any]) -> None:
    """Adds values under a key of gate.json, if it lacks any of them."""
    path = disk.within(folder, "gate.json")
    text = json.loads(disk.text_of(path, RecordsError))
    known = text.setdefault(key, {})
    if values.keys() - known.keys():
        known |= values
        disk.write(path, disk.json_of(text, indent=1))
