"""What `match` prints: what CSV says is counted again, what YAML says is a suite's."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from cmx_bench.cli.matching import FORMATS
from cmx_bench.designs import FAMILIES
from cmx_bench.designs.search import Match, Target, find
from cmx_bench.spec import suite
from cmx_bench.spec.model_entries import ModelEntry

from ..conftest import TINY

TARGET = Target({"params": 1_000_000}, classes=10, image_size=64)


@pytest.fixture(scope="module")
def matches() -> list[Match]:
    published = Target({"params": FAMILIES["resnet"]["resnet18"].params(10, 64)}, 10, 64)
    return [*(find(family, TARGET) for family in FAMILIES), find("resnet", published)]


def test_csv_has_the_contracts_columns(matches: list[Match]) -> None:
    rows = list(csv.DictReader(FORMATS["csv"](matches, 80, False).splitlines()))
    assert list(rows[0]) == [
        "target", "family", "name", "params", "residual", "macs", "changes", "nearest",
    ]  # fmt: skip
    for row, match in zip(rows, matches, strict=True):
        assert int(row["params"]) / int(row["target"]) - 1 == float(row["residual"])
        assert (row["name"], row["family"]) == (match.name, match.family)
        assert row["changes"].startswith(f"{match.base}: ")
    assert rows[-1]["changes"] == "resnet18: as published"
    both = find("resnet", Target({"params": 11_689_512, "macs": 1_814_073_344}))
    line = FORMATS["csv"]([both], 80, False).splitlines()[1]
    assert line.startswith("11689512+1814073344,resnet,resn")


def test_the_yaml_is_a_suites_list_of_models(
    matches: list[Match], write_suite: Callable[[str], Path]
) -> None:
    head, models, tail = TINY.partition("models:\n")
    rest = tail[tail.index("measures:") :]
    path = write_suite(head + models + FORMATS["yaml"](matches, 80, False) + rest)
    entries = suite.load(str(path)).suite.models
    for entry, match in zip(entries, matches, strict=True):
        assert isinstance(entry, ModelEntry)
        assert (entry.name, entry.label) == (match.name, match.design.label)
        published = entry.name == "resnet18"
        assert entry.design == (None if published else (match.family, match.design.arguments))
    assert path.read_text().count("  # ") == len(matches)


def test_the_table_shows_changes_residuals_and_the_nearest(matches: list[Match]) -> None:
    text = FORMATS["table"](matches[:1], 200, False)
    [match] = matches[:1]
    assert text.splitlines()[0] == "1,000,000 parameters; 10 classes, images of 64 px"
    for part in (match.name, f"{match.params:,}", *match.changes, f"{match.nearest} (+"):
        assert part in text
    assert max(map(len, FORMATS["table"](matches, 90, False).splitlines())) <= 90
