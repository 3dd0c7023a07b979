"""Results and samples as CSV, everything as JSON; citations whose capitals stay."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from pathlib import Path

import pytest

from cmx_bench import report
from cmx_bench.present.content import Column, Entry, Note, Table
from cmx_bench.report import exports
from cmx_bench.report.exports import bibtex
from cmx_bench.report.formats import RENDERERS
from cmx_bench.report.tables import tables
from cmx_bench.results.reading import summarise
from cmx_bench.results.records import Record, Run

from .synthetic import BF16, FP16
from .test_formats import AWKWARD, awkward, mixed


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_results_have_exactly_the_columns_of_the_contract(
    run: Run, run_records: list[Record]
) -> None:
    text = RENDERERS["csv"](summarise(run, run_records))
    assert text.splitlines()[0] == (
        "model,label,family,setting,metric,value,unit,low,high,n,status,source,disturbed"
    )


def test_results_keep_full_precision(run: Run, run_records: list[Record]) -> None:
    report = summarise(run, run_records)
    row = next(row for row in rows(RENDERERS["csv"](report)) if row["metric"] == "throughput")
    estimate = report.results["convmixer_1536_20", FP16.key, "throughput"].estimate
    assert estimate is not None
    assert (float(row["value"]), float(row["low"])) == (estimate.value, estimate.low)
    assert (row["unit"], row["n"], row["status"], row["source"]) == (
        "images/s", "5", "ok", "measured",
    )  # fmt: skip


def test_results_tell_measured_failed_missing_and_published_apart() -> None:
    exported = rows(RENDERERS["csv"](mixed()))
    assert {row["status"] for row in exported if row["source"] == "measured"} == {
        "ok", "failed", "not measured",
    }  # fmt: skip
    published = [row for row in exported if row["source"].startswith("published:")]
    assert {row["status"] for row in published} == {f"grade {grade}" for grade in "ACFMT"}
    assert not {row["setting"] for row in published} & {FP16.key, BF16.key, "r224"}
    paper = next(
        row for row in published if row["metric"] == "top1" and row["model"] == "convmixer_768_32"
    )
    assert (paper["value"], paper["status"]) == ("0.8016", "grade A")


def test_every_cell_has_a_row() -> None:
    report = mixed()
    there = {(row["model"], row["setting"]) for row in rows(RENDERERS["csv"](report))}
    for key in report.run.cells:
        name, _, setting = key.split("/")
        assert (name, setting) in there


def test_csv_carries_awkward_names() -> None:
    labels = {row["label"] for row in rows(RENDERERS["csv"](awkward()))}
    kept = (*AWKWARD[:7], *AWKWARD[9:])
    assert labels == {*kept, "bell� and lone surrogate �", "'=1+2"}  # a spreadsheet would compute


def test_tables_as_csv_are_rectangular() -> None:
    for table in tables(mixed()):
        lines = list(csv.reader(io.StringIO(exports.table(table))))
        assert {len(line) for line in lines} == {len(table.columns) + 1}
        assert len(lines) == len(table.rows) + 1


def test_columns_of_one_name_keep_their_own_values() -> None:
    """A model may be called like another column: network, images, footnotes."""
    columns = (Column("network", "Network"), Column("network", "A model"))
    table = Table("t", "T", columns, ((Entry("a", notes=(Note("‡", "beware"),)), Entry("1")),))
    assert exports.table(table) == "network,network,footnotes\na ‡,1,‡: beware\n"


def test_json_holds_raw_samples_and_sources() -> None:
    content = json.loads(RENDERERS["json"](mixed()))
    first = next(result for result in content["results"] if result["metric"] == "throughput")
    assert first["processes"][0]["samples"] == pytest.approx([97.804, 97.902, 98, 98.098, 98.196])
    assert content["progress"] == {
        "ok": 63,
        "failed": 2,
        "missing": 1,
        "seconds": 298.0,  # of 150 records two are of the same two seconds
        "skipped": 0,
    }
    assert content["published"]["resnet50"][0]["grade"] == "C"
    assert len(content["left_out"]) == 1


def test_json_holds_what_was_discarded_and_what_stayed_wide() -> None:
    content = json.loads(RENDERERS["json"](mixed()))
    assert content["blocks"] == {
        "taken": 18,
        "discarded": 4,
        "reasons": {"a GPU held back": 4, "foreign GPU processes": 4},
        "processes": 3,
        "disturbed_processes": 1,
        "without_gpu_conditions": 0,
    }
    watched = next(
        result for result in content["results"]
        if (result["model"], result["metric"]) == ("resnet152", "throughput")
    )  # fmt: skip
    assert [process["discarded"] for process in watched["processes"]] == [[50, 50], [], [50, 50]]
    assert [process["disturbed"] for process in watched["processes"]] == [False, False, True]
    assert [process["covariates"]["gpu_clock_reasons"] for process in watched["processes"]] == [
        [68, 4, 4, 68, 4, 4, 4], [4, 4, 4, 4, 4], [68, 68, 68, 68, 4, 68],
    ]  # fmt: skip
    assert [process["covariates"]["discarded"] for process in watched["processes"]] == [
        [True, False, False, True, False, False, False], [False] * 5,
        [True, True, False, False, False, False],
    ]  # fmt: skip
    assert (watched["wanted"], watched["wide"]) == (0.03, False)
    assert [result["model"] for result in content["results"] if result["wide"]] == ["resnet50"]


def test_json_carries_awkward_names() -> None:
    text = RENDERERS["json"](awkward())
    content = json.loads(text, parse_constant=pytest.fail)  # NaN is no JSON
    assert [model["label"] for model in content["run"]["models"]] == list(AWKWARD)


# --- BibTeX ---------------------------------------------------------------------------------------


def test_a_citation_has_hash_device_and_date(folder: Path) -> None:
    shown = report.read(folder)
    text = bibtex(shown)
    digest = shown.content_hash
    assert text.startswith(f"@misc{{cmx-bench-paper-{digest[:12]},\n")
    assert digest in text and "Synthetic GPU 1" in text and "2026-01-01" in text
    assert "  year = 2026,\n  month = jan,\n" in text
    assert text.count("{") == text.count("}")


def fields(text: str) -> dict[str, str]:
    """The fields of a BibTeX entry as BibTeX reads them: it counts braces after a backslash too."""
    read = {}
    for name, value in re.findall(r"^  (\w+) = (.*),$", text, re.MULTILINE):
        depth = [0]
        for character in value:
            depth.append(depth[-1] + {"{": 1, "}": -1}.get(character, 0))
        assert depth[-1] == 0 and min(depth) == 0
        assert value.isalnum() or depth[1:-1].count(0) == 0  # it ends where it began
        read[name] = value
    return read


def test_a_citation_keeps_its_capitals_and_has_a_key_to_sort_by(folder: Path) -> None:
    """Styles write titles small but for what has braces of its own; they sort by the author, which
    a run has not, or else by the key."""
    shown = report.read(folder)
    title = "ConvMixer beside ResNet, DeiT, ResMLP and MLP-Mixer"
    read = fields(
        bibtex(dataclasses.replace(shown, run=dataclasses.replace(shown.run, title=title)))
    )
    assert read["title"] == f"{{{{{title}}}}}"
    assert read["key"] == "{{cmx-bench paper}}"
    for name in ("howpublished", "note"):
        assert read[name].startswith("{{") and read[name].endswith("}}")


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("a_b & 50 % 🤖", r"a\_b \& 50 \% \texttt{U+1F916}"),
        ("}{ Größe \\", r"\textbraceright{}\textbraceleft{} Gr\"{o}\ss{}e \textbackslash{}"),
        ('@misc{x, "y" #1', r"@misc\textbraceleft{}x, \char34{}y\char34{} \#1"),
        ("two\nlines", "two lines"),
    ],
)
def test_a_citation_escapes_the_title(folder: Path, title: str, text: str) -> None:
    shown = report.read(folder)
    awkward = dataclasses.replace(shown, run=dataclasses.replace(shown.run, title=title))
    assert fields(bibtex(awkward))["title"] == f"{{{{{text}}}}}"
