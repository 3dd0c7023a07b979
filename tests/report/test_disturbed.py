"""A value that rests on disturbed processes is marked wherever it is shown."""

from __future__ import annotations

import csv
import dataclasses
import io
import json

import pytest

from cmx_bench.present import latex
from cmx_bench.present.drawing import draw
from cmx_bench.report import entries, exports, overview
from cmx_bench.report.figures import plots
from cmx_bench.report.findings import findings
from cmx_bench.report.formats import RENDERERS
from cmx_bench.report.headline import calmer, tell_disturbed, warnings
from cmx_bench.report.tables import tables
from cmx_bench.report.tables.table_one import table_one
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record
from cmx_bench.results.summary import summary
from cmx_bench.spec.claims import Claim

from .synthetic import BF16, FP16, PAPER, make_records, make_run, watched

SLOW, RESTLESS, FAST = PAPER[0], PAPER[2], PAPER[8]
CELL = f"{RESTLESS.name}/throughput/{FP16.key}"


def report(calm: int = 2, **changes: object) -> Report:
    """Of five processes of one model so many stayed calm."""
    run = dataclasses.replace(make_run((SLOW, RESTLESS, FAST)), **changes)  # type: ignore[arg-type]
    return summarise(run, [restless(record, calm) for record in make_records(run)])


def restless(record: Record, calm: int) -> Record:
    if record.measure != "throughput":
        return record
    is_calm = record.cell != CELL or record.replicate < calm
    return watched(record, "....." if is_calm else "..dd.")


def scaled(record: Record, factor: float) -> Record:
    samples = record.values.get("throughput", [])
    times = {"throughput": [factor * sample for sample in samples]}
    return dataclasses.replace(record, values=times) if samples else record


def marks(report: Report) -> list[str]:
    table = table_one(report, FP16)
    place = [column.key for column in table.columns].index("throughput")
    return [row[place].marks for row in table.rows]


def test_a_value_is_disturbed_where_too_few_processes_were_calm() -> None:
    """With three calm ones the others do not count, and the value is as good as any."""
    key = RESTLESS.name, FP16.key, "throughput"
    [few, enough] = [report(calm).results[key] for calm in (2, 3)]
    assert (few.disturbed, few.n) == (True, 5)
    assert (enough.disturbed, enough.n) == (False, 3)
    assert marks(report(2)) == ["", "≈", ""]
    assert marks(report(3)) == ["", "", ""]


def test_only_what_was_timed_in_blocks_is_disturbed() -> None:
    def compiled(record: Record) -> Record:
        values = {**record.values, "compile_time": [3.0]} if record.cell == CELL else record.values
        return dataclasses.replace(record, values=values)

    run = make_run((RESTLESS,))
    results = summarise(
        run, [compiled(restless(record, 0)) for record in make_records(run)]
    ).results
    marked = [metric for (_, _, metric), result in results.items() if result.disturbed]
    assert marked == ["throughput"]


@pytest.mark.parametrize("calm", [2, 3])
def test_programs_are_told(calm: int) -> None:
    shown = report(calm)
    expected = [RESTLESS.name] * (calm < 3)
    frame = summary(shown.samples)
    assert list(frame["model"][frame["disturbed"]]) == expected
    rows = list(csv.DictReader(io.StringIO(RENDERERS["csv"](shown))))
    assert [row["model"] for row in rows if row["disturbed"] == "True"] == expected
    assert {row["disturbed"] for row in rows if row["source"] != "measured"} == {""}
    results = json.loads(RENDERERS["json"](shown))["results"]
    assert [result["model"] for result in results if result["disturbed"]] == expected


@pytest.mark.usefixtures("undrawn")
def test_every_format_marks_the_cell_and_says_why() -> None:
    shown = report()
    assert '200<sup>≈</sup><span class="detail' in RENDERERS["html"](shown)
    assert "| 200 <sup>≈</sup><br><sub>± 2.0 %, n = 5</sub> |" in RENDERERS["md"](shown)
    table = table_one(shown, FP16)
    assert r"200\textsuperscript{\ensuremath{\approx}}" in latex.table(table)
    assert '"200 ≈ (± 2.0 %, n = 5)"' in exports.table(table)
    assert "200 ≈ ± 2.0 %, n = 5" in overview.text(table, 200)
    why = "disturbed: fewer than 3 of its processes were calm"
    texts = [RENDERERS[name](shown) for name in ("html", "md", "latex")]
    assert all(why in text for text in (*texts, exports.table(table), overview.text(table, 200)))


def test_it_loses_the_digits_that_it_does_not_deserve() -> None:
    """Of 412 images/s ± 2 % all three; disturbed, two."""
    run = make_run((RESTLESS,))
    times = [scaled(record, 4.12) for record in make_records(run)]

    def shown(calm: int) -> str:
        table = table_one(summarise(run, [restless(record, calm) for record in times]), FP16)
        return table.rows[0][[column.key for column in table.columns].index("throughput")].text

    assert (shown(5), shown(0)) == ("412", "410")


def test_n_leaves_out_the_disturbed_where_enough_were_calm() -> None:
    """Three of five were calm: the others are named beside them, and counted nowhere."""
    shown = report(3)
    result = shown.results[RESTLESS.name, FP16.key, "throughput"]
    assert (result.n, result.left_out, len(result.medians)) == (3, 2, 3)
    assert entries.show(result).detail.endswith("n = 3 of 5")
    rows = summary(shown.samples)
    row = rows[(rows["model"] == RESTLESS.name) & (rows["metric"] == "throughput")]
    assert (row["n"].item(), row["left_out"].item()) == (3, 2)
    taken = result._replace(planned=3)  # as many as the suite asks for, and two more
    assert entries.show(taken).detail.endswith("n = 3 of 5")
    all_of_them = report(2).results[RESTLESS.name, FP16.key, "throughput"]
    assert (all_of_them.n, all_of_them.left_out) == (5, 0)


def test_what_is_made_of_it_is_marked_too() -> None:
    claims = (
        Claim("A", f"throughput({RESTLESS.name}) < throughput({FAST.name})"),
        Claim("B", f"throughput({SLOW.name}) < throughput({FAST.name})"),
    )
    shown = report(claims=claims)
    by_key = {table.key: table for table in tables(shown)}
    assert [row[2].marks for row in by_key["claims"].rows] == ["≈", ""]
    assert ", disturbed), claimed" in by_key["claims"].rows[0][3].text
    ratios = [row[3].marks for row in by_key["fidelity"].rows if "relative" in row[1].text]
    assert ratios == ["≈", ""]
    assert by_key["order"].rows[0][2].marks == "≈"
    claimed = json.loads(RENDERERS["json"](shown))["claims"]
    assert [claim["disturbed"] for claim in claimed] == [True, False]


def test_findings_say_what_rests_on_it() -> None:
    said = findings(report(), tables(report()))
    texts = {finding.topic: finding.text for finding in said.items}
    assert "is 2.0≈ times slower than ResNet-152 here" in texts["Speed"]
    assert (
        "The fastest≈ is ResNet-50 (300 images/s), ahead of ResNet-152 (200 images/s≈)."
        in (texts["Best"])
    )
    assert "≈ marks what rests on disturbed values" in said.note
    calm = findings(report(3), tables(report(3)))
    assert "≈" not in "".join([calm.note, *(finding.text for finding in calm.items)])


def test_bold_that_may_be_wrong_is_said() -> None:
    assert "Values marked ≈" in " ".join(table_one(report(), FP16).remarks)
    assert "≈" not in " ".join(table_one(report(3), FP16).remarks)


def test_figures_fade_it_and_say_so() -> None:
    shown = [plot for plot in plots(report()).drawn if "disturbed" in plot.data]
    assert {plot.name.partition("-cuda")[0] for plot in shown} == {
        "front", "throughput", "throughput-macs", "peak-memory", "samples-throughput",
    }  # fmt: skip
    for plot in shown:
        if plot.name.startswith("peak-memory"):  # nobody watches while it is measured
            assert not plot.data["disturbed"].any()
            continue
        assert "disturbed" in plot.caption
        if plot.name.startswith("samples"):
            assert "do not count, except those of ResNet-152, where" in plot.caption
            continue
        [svg] = [drawing.svg for drawing in draw([plot])]
        assert list(plot.data["disturbed"]) == [False, True, False]
        assert svg.count("(disturbed):") == 1 and "≈ disturbed<" in svg
        assert "opacity: 0.35" in svg
    calm = [plot for plot in plots(report(5)).drawn if "disturbed" in plot.data]
    assert not any("disturbed" in plot.caption for plot in calm)


@pytest.mark.usefixtures("undrawn")
def test_the_explorer_shows_it() -> None:
    page = RENDERERS["html"](report())
    assert '"200 images/s ≈ (± 2.0 %, n = 5)", true]' in page.replace("\\u2248", "≈").replace(
        "\\u00b1", "±"
    )


def test_the_headline_counts_them_and_says_what_to_do() -> None:
    shown = report()
    text = f"1 value is disturbed (marked ≈): throughput of {RESTLESS.label}"
    assert tell_disturbed(shown) == text
    assert text in [fact.text for fact in warnings(shown)]
    assert tell_disturbed(report(3)) == ""


@pytest.mark.parametrize(
    "command",
    ["cmx run paper", "cmx run paper --fresh", "cmx run paper --out x", "cmx run --out=x paper"],
)
def test_the_command_that_measures_again_makes_a_new_run(command: str) -> None:
    again = calmer(report(command=command).run)
    assert again.endswith(": cmx run paper --fresh")


def test_pairs_that_flip_are_marked() -> None:
    """In another setting the restless one, far slower, is ahead of the fast one."""
    several = make_run((RESTLESS, FAST), settings=(FP16, BF16))
    turned = [
        scaled(record, 10)
        if record.cell == f"{RESTLESS.name}/throughput/{BF16.key}"
        else restless(record, 0)
        for record in make_records(several)
    ]
    by_key = {table.key: table for table in tables(summarise(several, turned))}
    [flip] = by_key[f"flips-throughput-{FP16.key}"].rows
    assert sorted(entry.marks for entry in flip if "to" in entry.detail) == ["", "≈"]
