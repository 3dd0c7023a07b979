"""Damaged runs as a user meets them: exit code 2 and one line, whatever the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ..conftest import Cli

COMMANDS = (
    ("report", "out"),
    ("report", "out", "--format", "csv"),
    ("report", "out", "another"),
    ("verify", "out"),
    ("cite", "out"),
    ("check", "out", "--baseline", "another"),
    ("check", "another", "--baseline", "out"),
)
# What is written into the first record, and what is said of it.
DAMAGES = [
    ({"values": {"params": ["fast"]}}, "values.params.0: expected a number, got 'fast'"),
    ({"values": None}, "values: expected keys and values, got null"),
    ({"covariates": {"probe": 3}}, "covariates.probe: expected a list, got 3"),
    ({"replicate": "one"}, "replicate: expected a whole number, got 'one'"),
    ({"environment": "e2"}, "environment: the run has no 'e2'"),
    ({"schema": 2}, "schema 2 was written by an older cmx-bench; this one reads 3 alone, run anew"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(("damage", "said"), DAMAGES)
def test_a_damaged_record(
    cmx: Cli, rendered: Path, another: Path, command: tuple[str, ...],
    damage: dict[str, object], said: str,
) -> None:  # fmt: skip
    path = rendered / "records.jsonl"
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps(json.loads(first) | damage), *rest, ""]))
    assert cmx(*command) == (2, "", f"cmx-bench: out/records.jsonl:1: {said}\n")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_damaged_run(cmx: Cli, rendered: Path, another: Path, command: tuple[str, ...]) -> None:
    path = rendered / "run.json"
    text = path.read_text().replace('"label": "ConvMixer-1536/20"', '"label": null')
    path.write_text(text)
    line = 1 + text[: text.index('"label": null')].count("\n")
    said = f"out/run.json:{line}: models.0.label: expected text, got null"
    assert cmx(*command) == (2, "", f"cmx-bench: {said}\n")


@pytest.mark.parametrize(
    ("room", "command"),
    [
        ("out/tables", ("verify", "out")),
        ("out/predictions", ("site", ".")),
        ("out/predictions", ("merge", "out", "--out", "whole")),
        ("deep", ("history", ".")),
    ],
)
def test_folders_within_each_other_without_end(
    cmx: Cli, rendered: Path, room: str, command: tuple[str, ...]
) -> None:
    (rendered.parent / room / ("d/" * 101)).mkdir(parents=True)
    code, _, err = cmx(*command)
    assert (code, "/d/d: lies over 100 folders deep; remove it\n" in err) == (2, True)
