"""A run of two kinds of GPU: each has its own tables, and nothing is said of both that holds for
one alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cmx_bench import load
from cmx_bench.errors import RecordsError
from cmx_bench.execute import opening, runner
from cmx_bench.execute.outlook import continuing
from cmx_bench.gate import check
from cmx_bench.gate.history import gathering
from cmx_bench.plan import Plan, making
from cmx_bench.plan.joining import join
from cmx_bench.plan.users import Asked
from cmx_bench.report import exports, headline, overview
from cmx_bench.report.findings import findings
from cmx_bench.report.formats import RENDERERS
from cmx_bench.report.tables import fairness, judgements, side_by_side, tables
from cmx_bench.report.verify import verify
from cmx_bench.results import loading, merging, records
from cmx_bench.results.nouns import Report
from cmx_bench.spec import suite
from cmx_bench.worker.job import Job, Outcome

from ..conftest import TINY, StandIn
from . import rendering

pytestmark = pytest.mark.usefixtures("undrawn")

FAST, SLOW = "Fast GPU", "Slow-GPU 80GB"
SUITE = TINY.replace("  cpu: [{name: cpu, batch_size: 2, image_size: 56}]", """\
  cuda:
    - {name: half, precision: fp16, batch_size: 4, image_size: 56}
    - {name: full, precision: fp32, batch_size: 4, image_size: 56}
claims:
  - {say: The mixer is the faster one, check: throughput(mixer) > throughput(net)}""")  # fmt: skip
# Images a second. The order of the models is another on each GPU, and the same in all settings.
RATES = {(FAST, "mixer"): 800.0, (FAST, "net"): 400.0, (SLOW, "mixer"): 100.0, (SLOW, "net"): 200.0}
KEYS = [f"cuda-{precision}-nchw-eager-b4-r56-{kind}"
        for precision in ("fp16", "fp32") for kind in ("fast_gpu", "slow_gpu_80gb")]  # fmt: skip


@pytest.fixture
def plan_on(tmp_path: Path, gpu: dict[str, Any]) -> Callable[..., Plan]:
    """The plan for GPUs of these names."""
    path = tmp_path / "suite.yaml"
    path.write_text(SUITE, encoding="utf-8")
    facts = gpu | {"cmx_bench": "1", "timm": "1.0", "cuda": "13.0", "driver": "580"}

    def plan(*names: str, **more: Any) -> Plan:
        suite_file = suite.load(str(path))
        machines = [facts | {"device_name": name} for name in names]
        return join([making.make(suite_file, machine, Asked(**more)) for machine in machines])

    return plan


@pytest.fixture
def measured(tmp_path: Path, plan_on: Callable[..., Plan]) -> Callable[..., Path]:
    """The folder of a run on GPUs of these names, with what a stand-in says in place of times."""

    def measure(*names: str, out: str = "run", pace: float = 1.0, **more: Any) -> Path:
        plan = plan_on(*names, **more)

        def answer(job: Job) -> Outcome:
            setting, model = job.cell.setting, job.cell.model.name
            node = plan.kinds[setting.hardware] | {"device_uuid": f"GPU-{job.replicate}"}
            if job.cell.measure == "params":
                return Outcome(
                    {"params": [1000], "trainable_params": [1000], "buffers": [0]}, "", node
                )
            rate = RATES[node["device_name"], model] * pace * (2 if setting.name == "half" else 1)
            return Outcome({"throughput": [rate * (1 + job.replicate / 1000)]}, "", node)

        folder = opening.open_run(
            plan, tmp_path / "reports", tmp_path / out, False, "run suite.yaml"
        )
        with continuing(plan, folder) as outlook:
            runner.run(outlook, folder, StandIn(answer), lambda job, record: None)
        return folder

    return measure


@pytest.fixture
def folder(measured: Callable[..., Path]) -> Path:
    return measured(SLOW, FAST)


@pytest.fixture
def report(folder: Path) -> Report:
    return loading.read(folder)


def test_no_value_rests_on_two_kinds(report: Report) -> None:
    assert [setting.key for setting in report.run.settings] == KEYS
    assert not report.left_out
    for (model, setting, metric), result in report.results.items():
        assert (result.status, result.left_out) == ("ok", 0)
        if metric == "throughput":
            kind = FAST if setting.endswith("fast_gpu") else SLOW
            expected = RATES[kind, model] * (2 if "fp16" in setting else 1)
            assert result.value == pytest.approx(expected, rel=0.002)
            assert result.n == result.planned == 3


def test_every_table_of_a_setting_names_its_kind(report: Report) -> None:
    titles = [table.title for table in tables(report)]
    for setting in report.run.settings:
        assert f"Table 1 · {setting.name} on {setting.hardware} ({setting.key})" in titles
    for hardware in (FAST, SLOW):
        metrics = next(
            table for table in tables(report) if table.title == f"All metrics · {hardware}"
        )
        names = [row[1].text for row in metrics.rows]
        assert names == [f"{name} on {hardware}" for name in ("half", "half", "full", "full")]


def test_what_is_said_of_the_whole_run_names_both(report: Report) -> None:
    both = f"{FAST} and {SLOW}"
    assert headline.device(report) == f"{both}, torch 2.15, timm 1.0, cuda 13.0"
    assert f"on {both}, torch" in exports.bibtex(report)
    assert headline.status(report).text.startswith(both)
    assert not [fact.text for fact in headline.warnings(report) if "devices" in fact.text]


def test_a_claim_is_judged_on_each_kind(report: Report) -> None:
    states = {judged.setting.title: judged.state for judged in judgements.judge(report)}
    assert states == {f"half on {FAST}": "HOLDS", f"half on {SLOW}": "FAILS",
                      f"full on {FAST}": "HOLDS", f"full on {SLOW}": "FAILS"}  # fmt: skip


def test_what_another_gpu_changes_is_not_the_settings_doing(report: Report) -> None:
    """Both models change places between the kinds, and within none of them."""
    with_rows = [table for table in fairness.tables(report) if table.rows]
    for hardware in (FAST, SLOW):
        mine = [table for table in with_rows if table.title.endswith(f" · {hardware}")]
        assert mine
        for table in mine:
            assert "Order flips: 0." in table.remarks[0]
    assert not [table for table in with_rows if table.key.startswith("flips")]
    said = {table.topic: table.text for table in findings(report, tables(report)).items}
    assert said[f"Settings on {FAST}"] == (
        "No other setting makes Small ConvMixer faster beyond doubt than half does. No two models "
        "change their order beyond doubt."
    )


def test_each_kind_has_its_finding_on_speed(report: Report) -> None:
    """The mixer is the faster one on the first kind, and the slower one on the other."""
    shown = findings(report, tables(report))
    said = {finding.topic: finding.text for finding in shown.items}
    first, second, *others = said
    assert (first, second) == (f"Speed on {FAST}", f"Speed on {SLOW}")
    assert "times as fast as" in said[first] and "slower than" in said[second]
    assert all(topic.endswith(f" on {FAST}") for topic in others if topic != "Claims")
    assert f"settings half on {FAST} ({KEYS[0]}) and half on {SLOW} ({KEYS[1]})." in shown.note
    for finding in shown.items[:2]:
        [table] = [table for table in tables(report) if table.key == finding.table]
        assert finding.row in [
            tuple(entry.text for entry in row[: table.naming]) for row in table.rows
        ]


@pytest.mark.parametrize("format", RENDERERS)
def test_every_format_shows_both(folder: Path, report: Report, format: str) -> None:
    text = RENDERERS[format](report)
    for key in KEYS:
        assert key in text.replace("\\_", "_").replace("\\allowbreak{}", "")
    if format not in ("csv",):
        assert FAST in text
        assert SLOW in text


def test_a_page_of_several_kinds_is_verified(folder: Path) -> None:
    page = rendering.write(folder)
    for path in (page, page.parent):
        assert verify(path).differences == ()


def test_samples_name_their_hardware(folder: Path) -> None:
    samples = load(folder)
    assert list(samples["hardware"].unique()) == ["", FAST, SLOW]
    timed = samples[samples["metric"] == "throughput"]
    assert timed.groupby("setting", observed=True)["hardware"].nunique().to_list() == [1] * 4


def test_a_terminal_shows_both(report: Report) -> None:
    text = overview.overview(report, 120)
    assert f"Table 1 · half on {FAST}" in text
    assert f"Table 1 · half on {SLOW}" in text


def test_a_run_is_checked_kind_by_kind(measured: Callable[..., Path]) -> None:
    base, same = measured(FAST, SLOW), measured(SLOW, FAST, out="same")
    _, verdict = check.verdict(same, {"baseline": base}, 0.05)
    assert f"{FAST} and {SLOW}" in verdict.title
    timed = [
        comparison for comparison in verdict.comparisons if comparison.metric.name == "throughput"
    ]
    assert len(timed) == 8
    assert {record.reason for record in timed} == {""}


def test_kinds_of_other_runs_are_not_compared(measured: Callable[..., Path]) -> None:
    two, single = measured(FAST, SLOW), measured(FAST, out="one")
    _, verdict = check.verdict(single, {"baseline": two}, 0.05)
    for comparison in verdict.comparisons:
        if comparison.metric.name == "throughput":
            expected = {True: f"measured elsewhere: on {FAST} and {SLOW}, now on {FAST}",
                        False: "not measured in the baseline"}  # fmt: skip
            assert comparison.reason.startswith(expected[comparison.base is not None])


def test_history_has_a_line_for_each_kind(measured: Callable[..., Path], tmp_path: Path) -> None:
    measured(FAST, SLOW, out="runs/1")
    measured(SLOW, FAST, out="runs/2")
    measured(FAST, out="runs/3")
    history = gathering.read(tmp_path / "runs")
    assert {run.machine for run in history.runs} == {f"{FAST} and {SLOW}", FAST}
    timed = [series for series in history.series if series.metric.name == "throughput"]
    assert sorted(len(series.points) for series in timed) == [1] * 4 + [2] * 8


def test_parts_of_a_run_of_several_kinds_are_merged(
    measured: Callable[..., Path], tmp_path: Path
) -> None:
    parts = [measured(FAST, SLOW, out=name, only=[name]) for name in ("mixer", "net")]
    merged = merging.merge(parts, tmp_path / "whole", "merge")
    assert merged.device_name == f"{FAST} and {SLOW}"
    assert len(records.read(tmp_path / "whole")) == len(merged.cells) + 2 * 8 == 26
    other = measured(FAST, out="other", only=["net"])
    with pytest.raises(RecordsError, match="has other settings"):
        merging.merge([parts[0], other], tmp_path / "refused", "merge")


def test_kinds_stand_side_by_side_with_those_of_other_runs(measured: Callable[..., Path]) -> None:
    paths = [measured(FAST, SLOW), measured(FAST, out="one")]
    shown = side_by_side.compare(paths, [loading.read(path) for path in paths])
    assert [side.label for side in shown.sides] == [f"{FAST} and {SLOW}", FAST]
    throughput = next(table for table in shown.tables if table.key == "runs-throughput")
    assert [column.group for column in throughput.columns[1:]] == [
        *(f"{title} ({key})" for title, key in zip(
            (f"half on {FAST}", f"half on {SLOW}", f"full on {FAST}", f"full on {SLOW}"), KEYS,
            strict=True)),
        *(f"{name} (cuda-{precision}-nchw-eager-b4-r56)"
          for name, precision in (("half", "fp16"), ("full", "fp32"))),
    ]  # fmt: skip


def test_cells_that_were_not_chosen_are_asked_for_by_a_pattern_that_nodes_know(
    measured: Callable[..., Path],
) -> None:
    report = loading.read(measured(FAST, SLOW, only=["net"]))
    remedies = [gap.remedy for gap in report.gaps if gap.reason == "not chosen by --only"]
    assert any(
        "--only mixer/throughput/cuda-fp16-nchw-eager-b4-r56 alone" in remedy for remedy in remedies
    )
