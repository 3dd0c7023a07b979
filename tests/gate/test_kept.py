"""The folder of a comparison: what was asked once, each pair as a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.errors import RecordsError
from cmx_bench.gate import kept
from cmx_bench.gate.alongside import Alongside
from cmx_bench.gate.verdict import Contrast
from cmx_bench.plan import Plan, making
from cmx_bench.results import environment
from cmx_bench.spec.suite import SuiteFile

from .conftest import ENVIRONMENTS, pair_of


@pytest.fixture
def plan(tiny: SuiteFile, cpu: dict[str, Any]) -> Plan:
    return making.make(tiny, cpu)


@pytest.fixture
def folder(plan: Plan, tmp_path: Path) -> Path:
    return kept.open_folder(plan, tmp_path / "out", "ab", {"threshold": 0.05})


def asked(folder: Path) -> dict[str, Any]:
    text: dict[str, Any] = json.loads((folder / "gate.json").read_text(encoding="utf-8"))
    return text


def test_what_was_asked_is_there_before_anything_is_measured(folder: Path, plan: Plan) -> None:
    assert asked(folder) | {"created": ""} == {
        "schema": kept.SCHEMA, "created": "", "suite": "tiny", "suite_hash": plan.suite_file.hash,
        "machine": plan.machine, "environments": {}, "threshold": 0.05,
    }  # fmt: skip


def test_a_folder_without_a_name_is_called_by_command_suite_time_and_device(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = kept.open_folder(plan, None, "selftest", {})
    assert folder.parent == Path("reports/selftest-tiny")
    assert folder.name.endswith("-a-cpu")


def test_pairs_name_their_environments_which_are_kept_once(folder: Path, plan: Plan) -> None:
    pair = pair_of("mixer", 0.01)
    for kind in ("same", "slower"):
        kept.append(folder, pair, kind=kind)
    lines = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["same", "slower"]
    digests = [environment.digest(each) for each in ENVIRONMENTS]
    assert lines[0]["environments"] == digests
    assert asked(folder)["environments"] == dict(zip(digests, ENVIRONMENTS, strict=True))
    assert len(lines[0]["blocks"]) == len(pair.blocks)
    with pytest.raises(RecordsError, match="already holds pairs; give another --out"):
        kept.open_folder(plan, folder, "ab", {})


def test_pairs_alongside_need_no_environments(folder: Path) -> None:
    kept.append(folder, Alongside("mixer", "cuda:0", 100.0, 99.0, True))
    [line] = (folder / "pairs.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "model": "mixer", "device": "cuda:0", "alone": 100.0, "beside": 99.0, "alone_first": True,
    }  # fmt: skip


def test_what_differs_of_the_code_is_kept_by_side(folder: Path) -> None:
    before = asked(folder)
    kept.keep_code(folder, [Contrast("base", ("a",), ()), Contrast("anchor", ("a",), ("a",))])
    after = asked(folder)
    assert {name: contrast["same"] for name, contrast in after.pop("code").items()} == {
        "base": [], "anchor": ["a"],
    }  # fmt: skip
    assert after == before
