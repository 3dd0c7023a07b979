"""What is said of past runs in tables and on a terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cmx_bench.gate.history import History
from cmx_bench.gate.history.rows import address, lines, of_changes, of_levels, of_runs

from ...report.synthetic import FP16
from .past import history, series, visit


def test_the_table_of_change_points() -> None:
    table = of_changes(history(series([100] * 5 + [80] * 5), elsewhere=2))
    assert [entry.text for entry in table.rows[0]] == [
        "ResNet-50", FP16.key, "Throughput", "2026-01-06 00:00:00 UTC", "100.0 images/s",
        "80.00 images/s", "25 % slower", "commit6", "",
    ]  # fmt: skip
    assert table.rows[0][6].tone == "bad"
    assert table.title == "Change points over 10 runs of ci on A CPU"
    assert "2 runs of other suites or machines are not shown." in table.remarks


def test_what_is_counted_stands_in_words_that_fit() -> None:
    table = of_changes(history(series([100]), elsewhere=1))
    assert table.title == "Change points over 1 run of ci on A CPU"
    assert "1 run of other suites or machines is not shown." in table.remarks
    assert of_changes(history()).title == "Change points over 0 runs"


def test_the_latest_change_stands_first_and_the_largest_of_a_run() -> None:
    table = of_changes(
        history(
            series([100] * 6 + [90] * 6, "A"),
            series([100] * 9 + [90] * 3, "B"),
            series([100] * 9 + [60] * 3, "C"),
        )
    )
    assert [row[0].text for row in table.rows] == ["C", "B", "A"]


def test_few_runs_are_too_few_and_the_table_says_so() -> None:
    table = of_changes(history(series([100, 100.1, 99.9, 50, 50.1])))
    assert table.rows == ()
    assert table.none == "No metric changed for good."
    assert any("need 6 runs" in remark for remark in table.remarks)


def test_the_terminal_says_in_which_setting_and_with_what_it_changed() -> None:
    (_, first, *_) = lines(of_changes(history(series([100] * 3 + [80] * 3))))
    assert first == (
        f"  ResNet-50 Throughput ({FP16.key}): 25 % slower since 2026-01-04 00:00:00 UTC "
        "(100.0 images/s → 80.00 images/s, commit commit4; torch 2.13 → 2.14)"
    )
    assert list(lines(of_changes(history(series([1])))))[1] == "  none"


def two_machines() -> History:
    return history(series([100, 101, 102]), series([50, 51], machine="B CPU", suite="nightly"),
                   series([7, 7], metric="params"))  # fmt: skip


def test_suites_and_machines_have_columns_where_there_are_several() -> None:
    table = of_levels(two_machines())
    assert [column.key for column in table.columns][:3] == ["network", "suite", "machine"]
    assert [[entry.text for entry in row[1:3]] for row in table.rows] == [
        ["ci", "A CPU"], ["nightly", "B CPU"], ["ci", "any"],
    ]  # fmt: skip
    assert of_changes(two_machines()).title == "Change points over 5 runs of 2 suites on 2 machines"


def test_a_line_ends_where_the_machine_changes_and_the_page_says_where() -> None:
    moved = history(*(series([100] * 4, machine=name) for name in ("A CPU", "B CPU")))
    days = [visit(day, machine) for day, machine in ((1, "A CPU"), (2, "B CPU"), (3, "B CPU"))]
    remarks = of_changes(replace(moved, runs=tuple(days))).remarks
    assert any(
        "a line ends where the machine changes: 2026-01-02 00:00:00 UTC (A CPU → B CPU)." in remark
        for remark in remarks
    )
    stayed = of_changes(history(series([1]))).remarks
    assert not any("machine changes" in remark for remark in stayed)


def test_levels_begin_and_end_with_a_run_that_is_linked(tmp_path: Path) -> None:
    line = series([100] * 6 + [80] * 6)
    page = tmp_path / "past" / "odd name (1)" / "report.html"
    page.parent.mkdir(parents=True)
    page.touch()
    points = tuple(replace(point, run=replace(point.run, page=page)) for point in line.points)
    (row,) = of_levels(history(replace(line, points=points)), tmp_path / "pages").rows
    assert [entry.text for entry in row] == [
        "ResNet-50", FP16.key, "Throughput", "12", "100.0 images/s", "80.00 images/s",
        "2026-01-07 00:00:00 UTC", "25 % slower",
    ]  # fmt: skip
    assert row[6].link == "../past/odd%20name%20%281%29/report.html"
    assert address(points[0].run, None) == ""


def test_every_run_has_a_row_and_what_failed_is_counted() -> None:
    broken = replace(visit(2), failed=("net/throughput/cpu",), commit="")
    table = of_runs(history(series([1]), runs=(visit(1), broken)))
    assert [[entry.text for entry in row] for row in table.rows] == [
        ["2026-01-02 00:00:00 UTC", "unknown", "torch 2.14", "1 of 3", "ci-A CPU-2"],
        ["2026-01-01 00:00:00 UTC", "commit1", "torch 2.14", "none", "ci-A CPU-1"],
    ]  # fmt: skip
    assert table.remarks == (
        "2 runs have no report.html to link: `python -m cmx_bench report RUN` renders it.",
    )
