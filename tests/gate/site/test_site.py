"""What the index lists of a run, and the same as a history names it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cmx_bench.gate.site import PAGE, list_run
from cmx_bench.results.reading import summarise

from ...report.synthetic import FP16, PAPER, failed, make_records, make_run


def test_a_run_is_listed_with_what_it_measured() -> None:
    run = replace(make_run(PAPER[:2]), title="Two\nmodels", finished="")
    records = make_records(run)
    key = f"{PAPER[0].name}/throughput/{FP16.key}"
    lost = [failed(each, "boom") if each.cell == key else each for each in records]
    entry = list_run(summarise(run, lost))
    assert (entry.suite, entry.title, entry.finished) == ("paper", "Two models", False)
    assert (entry.models, entry.labels) == (
        tuple(model.name for model in PAPER[:2]), tuple(model.label for model in PAPER[:2]),
    )  # fmt: skip
    assert (entry.settings, entry.setting_names) == ((FP16.key,), (FP16.name,))
    assert (entry.cells, entry.measured, entry.failed) == (8, 7, (key,))
    past = entry.past("The GPU", Path("runs/first"))
    assert (past.machine, past.page, past.failed) == ("The GPU", Path("runs/first") / PAGE, (key,))
    assert (past.created, past.cells, past.versions) == (run.created, 8, entry.versions)
