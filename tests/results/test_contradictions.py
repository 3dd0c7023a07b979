"""What a run or a record says twice, and differently."""

from __future__ import annotations

import copy
import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.errors import RecordsError
from cmx_bench.results import records

from ..conftest import append_record
from .whole import EVALUATED, RUN, SETTING, TIMED, Where, damage, plain, refusals


@pytest.fixture
def refused(tmp_path: Path) -> Any:
    return refusals(tmp_path)


CONTRADICTIONS: list[tuple[Where, Any, str]] = [
    (("run", ("models", 1, "name")), "a", "models.1: 'a' is there twice"),
    (("run", ("measures", 1)), "throughput", "measures.1: 'throughput' is there twice"),
    (("run", ("cells", 1)), RUN.cells[0], f"cells.1: '{RUN.cells[0]}' is there twice"),
    (("run", ("cells", 0)), "a/b", "cells.0: expected MODEL/MEASURE/SETTING, got 'a/b'"),
    (("run", ("cells", 0)), f"c/throughput/{SETTING.key}", "the run has no model 'c'"),
    (("run", ("cells", 0)), f"a/latency/{SETTING.key}", "the run has no measure 'latency'"),
    (("run", ("settings", 0, "batch_size")), 4, f"the run has no setting '{SETTING.key}'"),
    (("run", ("cut_off",)), {"a/params/r224": 2}, "the run has no cell 'a/params/r224'"),
    (("run", ("neighbours", "busy")), -1, "neighbours.busy: expected at least 0, got -1"),
    (("run", ("accuracy",)), {"path": None}, "accuracy.dataset: is missing"),
    (("run", ("created",)), "now", "created: expected a time such as"),
    (("run", ("created",)), "2026-01-01T00:00:00", "created: expected a time such as"),
    (("run", ("finished",)), "then", "finished: expected a time such as"),
    (("timed", ("started",)), "", "started: expected a time such as"),
    (("timed", ("cell",)), RUN.cells[1], f"cell: is '{RUN.cells[1]}', and the rest of the record"),
    (("timed", ("model",)), "b", "and the rest of the record 'b/throughput/"),
    (("timed", ("status",)), "fine", "status: expected 'ok', 'failed' or 'skipped', got 'fine'"),
    (("timed", ("reason",)), "why", "reason: expected none where the status is 'ok'"),
    (("timed", ("status",)), "failed", "reason: expected one where the status is 'failed'"),
    (("evaluated", ("values",)), {}, "values: are missing, and the status is 'ok'"),
    (("evaluated", ("values",)), {"top1": []}, "values: are missing, and the status is 'ok'"),
    (("timed", ("environment",)), "f", "environment: the run has no 'f'"),
    (("timed", ("values", "throughput")), [9.5],
     "covariates.disturbed: expected a value for each of 2 samples of throughput, got 4"),
    (("timed", ("covariates", "probe")), [0.1] * 3,
     "covariates.probe: expected a value for each of 4 samples of throughput, got 3"),
    (("timed", ("covariates", "probe", 1)), 0, "covariates.probe: expected seconds above 0"),
    (("timed", ("values", "throughput", 0)), 0, "values.throughput: expected at least 1e-100"),
    (("timed", ("values", "throughput", 0)), 1e-320, "values.throughput: expected at least 1e-100"),
    (("timed", ("covariates",)), {"probe": [0.1] * 4}, "covariates.disturbed: is missing"),
    (("timed", ("covariates",)), {}, "covariates.disturbed: is missing"),
    (("timed", ("covariates", "discarded", 3)), 0.0,
     "covariates.discarded: marks 0 samples, and throughput has 1 discarded"),
    (("timed", ("covariates", "disturbed", 3)), -1,
     "covariates.disturbed: expected 0 or 1 for each sample"),
    (("evaluated", ("details", "weights")), "x" * 70_000,
     "details.weights: expected shorter text, got 'xxx"),
    (("timed", ("replicate",)), 99, "replicate: expected 0, got 99"),
    (("timed", ("values",)), {"params": [1]}, "values.params: is of params, and the record of thr"),
    (("timed", ("values",)), {"top1": [0.5]}, "values.top1: is of accuracy, and the record of thr"),
    (("evaluated", ("values",)), {"top1": [0.9], "top5": [0.8]},
     "values.top1: expected no more than top5"),
    (("evaluated", ("details", "correct", "top1")), 11,
     "details.correct.top1: expected a part of 10 images"),
    (("evaluated", ("details", "correct")), {},
     "details.correct.top1: expected a part of 10 images"),
    (("evaluated", ("details",)), {}, "details.images: is missing, and top1 rests on it"),
    (("evaluated", ("values", "top1")), [0.8], "values.top1: expected 9 of 10 images"),
    (("evaluated", ("values", "top1")), [0.9, 0.9], "values.top1: expected 9 of 10 images"),
    (("passed", ("details",)), {}, "details.work: is missing, and mac_rate rests on it"),
    (("passed", ("details", "work", "linear", "bytes")), -1,
     "details.work.linear.bytes: expected at least 0, got -1"),
    (("passed", ("details", "work", "linear", "macs")), 0,
     "details.work.linear.macs: expected more than 0"),
    (("passed", ("details", "work", "linear", "bytes")), 1e-320,
     "details.work.linear.bytes: expected more than 0"),
    (("passed", ("details", "work", "linear", "seconds", 0)), 0,
     "details.work.linear.seconds: expected more than 0"),
    (("passed", ("details", "work", "linear", "seconds")), [],
     "details.work.linear.seconds: expected at least one value, got a list"),
    (("passed", ("details", "work", "other", "bytes")), 1,
     "details.work.other.macs: expected more than 0"),
    (("passed", ("details", "work", "magic")), {"macs": 1, "bytes": 1, "seconds": [1]},
     "details.work.magic: unknown (known: depthwise,"),
    (("evaluated", ("details", "training", "best", "epoch")), 2,
     "details.training.best: expected {'epoch': 1, 'top1': 0.9}, as of the curve"),
    (("evaluated", ("details", "training", "epochs")), 2,
     "details.training.epochs: expected 1, as of the curve"),
    (("evaluated", ("details", "training", "curve", 0, "top1")), 1.5,
     "details.training.curve.0.top1: expected at most 1, got 1.5"),
    (("evaluated", ("details", "training", "seconds")), -1,
     "details.training.seconds: expected at least 0, got -1"),
    (("run", ("precision",)), -1, "precision: expected at least 0, got -1"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "value", "message"), CONTRADICTIONS, ids=str)
def test_contradictions(refused: Any, where: Where, value: Any, message: str) -> None:
    assert message in refused(where[0], damage(where, value))


def test_two_settings_of_one_key(refused: Any) -> None:
    value = plain("run")
    value["settings"].append(copy.deepcopy(value["settings"][0]) | {"name": "again"})
    assert refused("run", json.dumps(value)) == f"settings.1: {SETTING.key!r} is there twice"


@pytest.mark.parametrize("machines", [{}, {"Other": {}}, {"Chip 2": {}, "Other": {}}])
def test_hardware_and_machines_of_a_run_go_together(refused: Any, machines: Any) -> None:
    assert refused("run", damage(("run", ("machines",)), machines)) == (
        "machines: expected those that the settings name as their hardware: 'Chip 2'"
    )


def test_a_record_of_no_cell_of_the_run(refused: Any) -> None:
    cell = f"b/accuracy/{SETTING.key}"
    value = plain("evaluated") | {"cell": cell, "model": "b"}
    assert refused("evaluated", json.dumps(value)) == f"cell: the run has no {cell!r}"


def test_what_failed_is_tried_again_and_other_weights_are_evaluated(tmp_path: Path) -> None:
    lost = replace(TIMED, status="failed", reason="x", values={}, covariates={}, discarded={})
    other = replace(EVALUATED, details={**EVALUATED.details, "weights": "b.safetensors"})
    written = [lost, replace(lost, elapsed=2.0), TIMED, EVALUATED, other]
    for record in written:
        append_record(tmp_path, record)
    assert records.read(tmp_path) == written


def test_conditions_of_an_unknown_measure(refused: Any) -> None:
    value = plain("timed") | {"measure": "speed", "cell": f"a/speed/{SETTING.key}"}
    value |= {"values": {"pace": [1.0]}, "discarded": {}}
    assert refused("timed", json.dumps(value)) == "measure: 'speed' is unknown, and has conditions"


@pytest.mark.parametrize(
    ("samples", "message"),
    [([1.5], "expected whole numbers"), ([1, 2], "expected one value, got 2")],
)
def test_what_is_exact_is_counted_once(refused: Any, samples: list[float], message: str) -> None:
    cell = {"measure": "params", "cell": f"a/params/{SETTING.key}"}
    counted = plain("timed") | cell | {"values": {"params": samples}}
    without_conditions: dict[str, Any] = {"covariates": {}, "discarded": {}}
    text = json.dumps(counted | without_conditions)
    assert f"values.params: {message}" in refused("timed", text)


def test_a_model_of_two_files_is_refused(tmp_path: Path) -> None:
    """In a folder and in a page; the line names both files."""
    first, other = (
        plain("timed")
        | {"replicate": place, "details": {"origin": {"file": file, "sha256": digest}}}
        for place, (file, digest) in enumerate((("a.py", "1" * 64), ("site/a.py", "2" * 64)))
    )
    message = f"was built from site/a.py ({'2' * 12}), and before from a.py ({'1' * 12})"
    for later, fails in ((first | {"replicate": 1}, False), (other, True)):
        lines = "".join(json.dumps(each) + "\n" for each in (first, later))
        (tmp_path / "records.jsonl").write_text(lines)
        with pytest.raises(RecordsError) if fails else nullcontext() as caught:
            records.read(tmp_path)
        with pytest.raises(RecordsError) if fails else nullcontext() as embedded:
            records.records_of([first, later], "page.html", replace(RUN, replicate=None))
    assert caught is not None
    assert embedded is not None
    assert f"records.jsonl:2: details.origin: {first['model']} {message}" in str(caught.value)
    assert message in str(embedded.value)
