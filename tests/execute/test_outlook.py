"""What is kept up record by record is what all records give, and no more is judged than changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.accuracy import Evaluation
from cmx_bench.execute import outlook
from cmx_bench.execute.outlook import Outlook
from cmx_bench.plan import Plan, making
from cmx_bench.plan.users import Asked
from cmx_bench.results import disturbance, runfolder
from cmx_bench.results.records import Record
from cmx_bench.spec import suite

from ..conftest import TRAINED, StandIn
from .conftest import measure, open_folder


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The cells of all records that were judged, one after the other."""
    cells: list[str] = []
    judge = disturbance.judge_by

    def counted(fast: dict[str, float | None], records: Sequence[Record]) -> list[Record]:
        cells.extend(record.cell for record in records)
        return judge(fast, records)

    monkeypatch.setattr(disturbance, "judge_by", counted)
    return cells


def measure_with(plan: Plan, folder: Path) -> list[Record]:
    return measure(plan, folder, StandIn())


def alike(kept_up: Outlook, anew: Outlook) -> bool:
    now = [
        (dict(each.all_left()), each.total, pytest.approx(each.seconds_left(), rel=1e-9, abs=1e-9),
         pytest.approx(each.seconds_left(1.0, 3600.0), rel=1e-9, abs=1e-9))
        for each in (kept_up, anew)
    ]  # fmt: skip
    return now[0] == now[1]


def test_what_is_kept_up_is_what_all_records_give(
    precise: Callable[..., Plan], tmp_path: Path
) -> None:
    plan = precise("2%")
    lines = measure_with(plan, open_folder(plan, tmp_path))
    kept_up = Outlook(plan)
    assert len(lines) > len(plan.cells)
    for number, record in enumerate(lines, 1):
        kept_up.add(record)
        assert alike(kept_up, Outlook(plan, lines[:number]))
    assert kept_up.seconds_left() == pytest.approx(0, abs=1e-9)


def test_evaluations_are_kept_up_too(
    write_suite: Callable[[str], Path], cpu: dict[str, Any]
) -> None:
    file = suite.load(str(write_suite(TRAINED)))
    plan = making.make(file, cpu, Asked(evaluation=Evaluation(file.suite.accuracy, Path())))
    kept_up, lines = Outlook(plan), []
    for seed in (0, 1):
        for cell in plan.cells:
            lines.append(
                Record(cell.key, cell.model.name, "accuracy", "k", seed, "ok", {}, "", "e", "", 9.0)
            )
            kept_up.add(lines[-1])
            assert alike(kept_up, Outlook(plan, lines))


def test_a_record_has_its_cell_alone_judged_anew(
    tiny_five: Plan, tmp_path: Path, judged: list[str]
) -> None:
    lines = measure_with(tiny_five, open_folder(tiny_five, tmp_path))
    kept_up = Outlook(tiny_five)
    for record in lines:
        judged.clear()
        kept_up.add(record)
        kept_up.seconds_left()
        kept_up.changes()
        assert set(judged) == {record.cell}


def test_rounds_without_a_new_record_judge_none(
    tiny_five: Plan, tmp_path: Path, judged: list[str]
) -> None:
    """A run that is finished judges each record once, and not once for each round there may be."""
    folder = open_folder(tiny_five, tmp_path)
    lines = measure_with(tiny_five, folder)
    judged.clear()
    assert measure_with(tiny_five, folder) == lines
    assert sorted(judged) == sorted(record.cell for record in lines)


def test_a_run_goes_on_locked_with_the_records_of_its_folder(
    tiny_plan: Plan, tmp_path: Path
) -> None:
    folder = open_folder(tiny_plan, tmp_path)
    written = measure_with(tiny_plan, folder)
    lines = (folder / "records.jsonl").read_text().splitlines(keepends=True)
    (folder / "records.jsonl").write_text("".join(lines[:-1]))
    with outlook.continuing(tiny_plan, folder) as known:
        assert runfolder.is_locked(folder)
        assert known.records == written[:-1]
        assert sum(known.left.values()) == 1
    assert not runfolder.is_locked(folder)


def test_a_cell_that_was_lost_gets_no_more_processes(tiny_plan: Plan) -> None:
    kept_up = Outlook(tiny_plan)
    cell, processes = tiny_plan.repeated[0], kept_up.total
    kept_up.lose(cell)
    assert kept_up.left[cell.key] == 0
    assert kept_up.changes() == [(cell, 1 - tiny_plan.replicates(cell))]
    assert kept_up.total == processes + 1 - tiny_plan.replicates(cell)
    assert kept_up.found == {}
