"""Runs side by side: a column for each, what differs said, what cannot stand there refused."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from pathlib import Path
from typing import Any

import pytest

from cmx_bench import report
from cmx_bench.cell import Setting
from cmx_bench.errors import RecordsError
from cmx_bench.present.content import Table
from cmx_bench.report import formats, verify
from cmx_bench.report.tables import side_by_side
from cmx_bench.report.tables.side_by_side import Comparison
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Environment

from ..synthetic import ENVIRONMENT, FP16, PAPER, make_records, make_run

NEWER = ENVIRONMENT | {"device_name": "Synthetic GPU 2", "driver": "580.2", "os": "Another OS"}
CPU = Setting("cpu", "cpu", "fp32", "nchw", "none", 1, 224)


def make_report(
    environment: Environment = ENVIRONMENT, times: float = 1.0, **changes: Any
) -> Report:
    """A run with `times` the synthetic throughput."""
    run = make_run(**{"models": PAPER[:3]} | {
        name: changes.pop(name) for name in ("models", "settings") if name in changes
    })  # fmt: skip
    run = dataclasses.replace(run, machine=environment, environments={"e1": environment}, **changes)
    return summarise(run, [
        dataclasses.replace(
            record, values={"throughput": [times * value for value in record.values["throughput"]]}
        )
        if record.measure == "throughput" else record
        for record in make_records(run)
    ])  # fmt: skip


def beside(*reports: Report) -> Comparison:
    return side_by_side.compare([Path(f"run{n}") for n in range(len(reports))], reports)


def table(comparison: Comparison, key: str) -> Table:
    return next(table for table in comparison.tables if table.key == key)


def rows(comparison: Comparison, key: str) -> list[list[str]]:
    return [[entry.text for entry in row] for row in table(comparison, key).rows]


# --- columns --------------------------------------------------------------------------------------


def test_each_run_has_its_column() -> None:
    compared = beside(
        make_report(),
        make_report(NEWER, times=2),
        make_report(NEWER, times=3, created="2026-02-01T00:00"),
    )
    throughput = table(compared, "runs-throughput")
    assert [column.full_heading for column in throughput.columns] == [
        "Network",
        "paper (cuda-fp16-nchw-eager-b64-r224): Synthetic GPU 1, 2026-01-01",
        "paper (cuda-fp16-nchw-eager-b64-r224): Synthetic GPU 2, 2026-01-01",
        "paper (cuda-fp16-nchw-eager-b64-r224): Synthetic GPU 2, 2026-02-01",
    ]
    assert [row[1:] for row in rows(compared, "runs-throughput")] == [
        ["100 images/s", "200 images/s", "300 images/s"],
        ["200 images/s", "400 images/s", "600 images/s"],
        ["300 images/s", "600 images/s", "900 images/s"],
    ]
    # The best of each run by itself.
    assert [[entry.best for entry in row] for row in throughput.rows] == [
        [False] * 4, [False] * 4, [False, True, True, True],
    ]  # fmt: skip


def test_exact_values_that_differ_do_not_read_the_same() -> None:
    """32 of 51.6 million parameters."""
    run = make_run(PAPER[:3])
    more = [
        dataclasses.replace(record, values={**record.values, "params": [51_625_960 + 32]})
        if (record.model, record.measure) == (PAPER[0].name, "params") else record
        for record in make_records(run)
    ]  # fmt: skip
    compared = beside(
        make_report(), summarise(dataclasses.replace(run, created="2026-02-01T00:00"), more)
    )
    assert [row[1:] for row in rows(compared, "runs-params")] == [
        ["51,625,960", "51,625,992"], ["21.1 M", "21.1 M"], ["60.2 M", "60.2 M"],
    ]  # fmt: skip


def test_other_kinds_of_devices_stand_beside_each_other() -> None:
    compared = beside(make_report(), make_report(NEWER | {"device_name": "A CPU"}, settings=(CPU,)))
    headings = [column.full_heading for column in table(compared, "runs-throughput").columns]
    assert headings[1:] == [
        "paper (cuda-fp16-nchw-eager-b64-r224): Synthetic GPU 1",
        "cpu (cpu-fp32-nchw-eager-b1-r224): A CPU",
    ]
    assert [column.full_heading for column in table(compared, "runs-params").columns][1:] == [
        "224 × 224: Synthetic GPU 1", "224 × 224: A CPU",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("created", "labels"),
    [
        (("2026-01-01T10:00:00", "2026-01-02T10:00:00"), ["2026-01-01", "2026-01-02"]),
        (("2026-01-01T10:00:00", "2026-01-01T11:00:00"),
         ["2026-01-01 10:00:00", "2026-01-01 11:00:00"]),
    ],
)  # fmt: skip
def test_runs_of_one_device_are_told_apart_by_date(
    created: tuple[str, str], labels: list[str]
) -> None:
    compared = beside(*(make_report(created=date) for date in created))
    assert [side.label for side in compared.sides] == [
        f"Synthetic GPU 1, {label}" for label in labels
    ]


def test_networks_that_one_run_lacks_are_shown() -> None:
    compared = beside(make_report(), make_report(NEWER, models=PAPER[2:4]))
    assert [(row[0], row[-1]) for row in rows(compared, "runs-throughput")] == [
        ("ConvMixer-1536/20", "–"),
        ("ConvMixer-768/32", "–"),
        ("ResNet-152", "100 images/s"),
        ("DeiT-B", "200 images/s"),
    ]


def test_another_network_of_the_same_name_has_its_own_row() -> None:
    other = dataclasses.replace(PAPER[0], args={"depth": 3}, label="Mine")
    compared = beside(make_report(), make_report(NEWER, models=(other, *PAPER[1:3])))
    assert [row[1:] for row in rows(compared, "runs-params")] == [
        ["51.6 M", "–"], ["21.1 M", "21.1 M"], ["60.2 M", "60.2 M"], ["–", "51.6 M"],
    ]  # fmt: skip


# --- what differs ---------------------------------------------------------------------------------


def test_what_differs_in_the_environments_is_listed() -> None:
    compared = beside(make_report(), make_report(NEWER))
    assert rows(compared, "differences") == [
        ["device_name", "yes", "Synthetic GPU 1", "Synthetic GPU 2"],
        ["driver", "yes", "570.1", "580.2"],
        ["os", "", "Synthetic OS", "Another OS"],
    ]
    [beware] = [fact.text for fact in compared.facts if fact.warning]
    assert beware.startswith("environments differ in device_name, driver;")


def test_runs_of_one_environment_differ_in_nothing() -> None:
    compared = beside(make_report(), make_report(created="2026-02-01T00:00:00"))
    assert "differences" not in [table.key for table in compared.tables]
    assert not [fact for fact in compared.facts if fact.warning]


def test_settings_with_environments_of_their_own_have_columns_of_their_own() -> None:
    fast = dataclasses.replace(FP16, name="compiled", compile="default")
    report = make_report(settings=(FP16, fast))
    moved = [
        dataclasses.replace(record, environment="e2") if record.setting == fast.key else record
        for record in report.records
    ]
    tuned = ENVIRONMENT | {"cudnn_benchmark": False}
    run = dataclasses.replace(report.run, environments={"e1": ENVIRONMENT, "e2": tuned})
    compared = beside(summarise(run, moved), make_report(created="2026-02-01T00:00:00"))
    assert [column.heading for column in table(compared, "differences").columns][2:] == [
        "Synthetic GPU 1, 2026-01-01: paper",
        "Synthetic GPU 1, 2026-01-01: compiled",
        "Synthetic GPU 1, 2026-02-01",
    ]
    assert rows(compared, "differences") == [["cudnn_benchmark", "yes", "True", "False", "True"]]


def test_a_changed_suite_is_said() -> None:
    compared = beside(make_report(), make_report(NEWER, suite_hash="another"))
    assert "its hash differs" in [fact.text for fact in compared.facts if fact.warning][-1]
    assert [row[4] for row in rows(compared, "runs")] == ["0123456789ab", "another"]


def test_other_recipes_are_said() -> None:
    """Images may lie elsewhere; a run that measured no accuracy differs in nothing."""
    said = {"dataset": "digits", "train": {"epochs": 2, "mixup": None, "optimizer": {"lr": 0.03}}}
    longer = said | {"train": {"epochs": 4, "mixup": 0.2, "optimizer": {"lr": 0.03}}, "path": "x"}
    compared = beside(
        make_report(accuracy=said),
        make_report(NEWER, accuracy=longer),
        make_report(created="2026-01-02"),
    )
    assert rows(compared, "evaluated") == [
        ["train.epochs", "2", "4", ""],
        ["train.mixup", "", "0.2", ""],
    ]
    warnings = [fact.text for fact in compared.facts if fact.warning]
    assert "accuracy was measured in different ways: train.epochs, train.mixup" in warnings
    assert all(
        table.key != "evaluated" for table in beside(make_report(), make_report(NEWER)).tables
    )


def test_each_run_is_described() -> None:
    compared = beside(make_report(), make_report(NEWER, finished=""))
    digests = [side.report.content_hash for side in compared.sides]
    assert rows(compared, "runs") == [
        ["Synthetic GPU 1", "2026-01-01 00:00:00", "2026-01-01 01:00:00", "cmx-bench 0.0",
         "0123456789ab", "12 of 12", "–", digests[0]],
        ["Synthetic GPU 2", "2026-01-01 00:00:00", "not finished", "cmx-bench 0.0",
         "0123456789ab", "12 of 12", "–", digests[1]],
    ]  # fmt: skip


def test_other_weights_are_said() -> None:
    sides: list[Report] = []
    for digest in ("aa", "bb"):
        report = make_report(created=f"2026-01-01T10:00:0{len(sides)}")
        altered = {
            (PAPER[0].name, FP16.key, "top1"): report.results[
                PAPER[0].name, FP16.key, "throughput"
            ]._replace(metric="top1", details={"weights_sha256": digest})
        }
        sides.append(dataclasses.replace(report, results={**report.results, **altered}))
    remark = "The runs used different weights of convmixer_1536_20."
    assert remark in table(beside(*sides), "runs-top1").remarks
    assert remark not in table(beside(*sides), "runs-throughput").remarks


def test_a_quick_run_does_not_pass_for_a_whole_one() -> None:
    compared = beside(make_report(), make_report(quick=True, created="2026-01-02T00:00:00+00:00"))
    labels = [side.label for side in compared.sides]
    assert [label.endswith(" (quick)") for label in labels] == [False, True]
    [beware] = [fact.text for fact in compared.facts if "this is a quick run" in fact.text]
    assert beware.startswith(f"{labels[1]}: ")


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"suite": "ci"}, "^run1: is of the suite 'ci', run0 of 'paper'; only runs of one suite"),
        ({"models": PAPER[5:7]}, "^run0, run1: these runs have no model in common$"),
    ],
)
def test_what_cannot_stand_side_by_side_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordsError, match=message):
        beside(make_report(), make_report(**changes))


def test_a_run_is_not_compared_with_itself() -> None:
    with pytest.raises(RecordsError, match="^run: is given twice$"):
        side_by_side.compare([Path("run")] * 2, [make_report()] * 2)


# --- files ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report.save(
        beside(make_report(), make_report(NEWER)), tmp_path_factory.mktemp("out")
    ).parent


def test_a_folder_gets_every_format(written: Path) -> None:
    keys = ("runs-throughput", "runs-peak_memory", "runs-params", "runs", "differences")
    names = {path.relative_to(written).as_posix() for path in written.rglob("*.*")}
    assert {"comparison.html", "comparison.md", "comparison.csv"} <= names
    assert {f"tables/{key}.{kind}" for key in keys for kind in ("csv", "tex")} <= names
    for name in ("comparison.html", "comparison.md"):
        text = (written / name).read_text(encoding="utf-8").replace("\\", "")
        assert text.index("Synthetic GPU 1") < text.index("Synthetic GPU 2")
        assert "Differences between the environments" in text


def test_the_rows_of_each_run_stand_behind_its_label(written: Path) -> None:
    text = (written / "comparison.csv").read_text(encoding="utf-8")
    exported = list(csv.DictReader(io.StringIO(text)))
    assert {row["run"] for row in exported} == {"Synthetic GPU 1", "Synthetic GPU 2"}
    assert len([row for row in exported if row["metric"] == "throughput"]) == 2 * 3


def test_awkward_names_stay_text() -> None:
    awkward = "<script>alert(1)</script>|_x_ 100 % & 🤖" + "x" * 200
    compared = beside(make_report(), make_report(NEWER | {"device_name": awkward}, title=awkward))
    assert "<script>alert" not in formats.SIDE_BY_SIDE["html"](compared)
    assert "<script>" not in formats.SIDE_BY_SIDE["md"](compared)
    assert "<script>" not in formats.SIDE_BY_SIDE["latex"](compared)


def test_a_folder_is_named_by_what_is_in_it() -> None:
    name = formats.folder(beside(make_report(), make_report(NEWER)))
    assert name.parent == Path("reports/paper")
    assert formats.folder(beside(make_report(), make_report(NEWER))) == name
    assert formats.folder(beside(make_report(), make_report(NEWER, times=2))) != name


# --- verified -------------------------------------------------------------------------------------


def test_what_was_written_is_verified(written: Path) -> None:
    whole, page = verify.verify(written), verify.verify(written / "comparison.html")
    assert (whole.differences, page.differences) == ((), ())
    assert whole.content_hash == page.content_hash
    assert (page.files, whole.files) == (
        1,
        len([path for path in written.rglob("*") if path.is_file()]),
    )
    assert page.places > 30


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("comparison.html", "200 images/s"),
        ("comparison.md", "200 images/s"),
        ("comparison.csv", "51625960"),
        ("tables/runs-throughput.tex", "200 images/s"),
    ],
)
def test_a_number_that_was_changed_is_named(written: Path, name: str, shown: str) -> None:
    path = written / name
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(shown, f"9{shown}", 1), encoding="utf-8")
    differences = verify.verify(written).differences
    path.write_text(text, encoding="utf-8")
    assert [difference.file for difference in differences] == [name]
    assert f"9{shown}" in differences[0].shown and f"9{shown}" not in differences[0].recomputed


def test_the_page_of_several_runs_is_not_that_of_one(written: Path) -> None:
    with pytest.raises(
        RecordsError, match=r"comparison\.html: holds 2 runs side by side; expected the page of one"
    ):
        report.read(written / "comparison.html")


def test_numbers_know_which_run_they_are_of(written: Path) -> None:
    """For the raw samples behind them."""
    text = (written / "comparison.html").read_text(encoding="utf-8")
    place = f'data-cell="{PAPER[0].name}/throughput/{FP16.key}" data-metric="throughput"'
    assert re.findall(rf'{place} data-unit="images/s" data-run="(\d)"', text) == ["1", "2"]
    assert re.findall(r'id="cmx-bench-data-(\d)"', text) == ["1", "2"]


def test_absolute_paths_are_shown_as_far_as_they_differ() -> None:
    paths = [Path("/home/me/x/run"), Path("/home/me/y/run"), Path("relative/run")]
    compared = side_by_side.compare(
        paths, [make_report(), make_report(NEWER), make_report(created="2026-02-01T10:00:00")]
    )
    shown = [str(side.path) for side in compared.sides]
    assert shown == ["…/x/run", "…/y/run", "relative/run"]
    again = side_by_side.compare([side.path for side in compared.sides],
                                 [side.report for side in compared.sides])  # fmt: skip
    assert again.facts == compared.facts
    assert "/home" not in repr((compared.facts, compared.tables))
