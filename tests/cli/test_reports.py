"""`report`, `verify` and `cite` as a user types them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ..conftest import TINY, Cli


def test_report_in_one_format(cmx: Cli, rendered: Path) -> None:
    code, out, _ = cmx("report", "out", "--format", "csv")
    assert code == 0
    assert out == Path("out/results.csv").read_text()
    assert cmx("report", "out", "-o", "page.html")[:2] == (0, "page.html\n")
    assert Path("page.html").read_text() == Path("out/report.html").read_text()
    assert cmx("report", "out", "-o", "none/page.html")[0] == 2
    assert cmx("report", "out", "-o", "report.tex")[0] == 0
    assert Path("report.tex").read_text() == cmx("report", "out", "--format", "latex")[1]


def test_runs_side_by_side(cmx: Cli, rendered: Path, another: Path) -> None:
    code, out, err = cmx("report", "out", "another", "--out", "both")
    assert (code, out, err) == (0, "both/comparison.html\n", "")
    code, out, _ = cmx("report", "out", "another", "--format", "md")
    assert (code, out) == (0, Path("both/comparison.md").read_text())
    assert "Synthetic GPU 1" in out and "Another GPU" in out
    assert cmx("report", "out", "another", "-o", "both.csv")[:2] == (0, "both.csv\n")
    assert Path("both.csv").read_text() == Path("both/comparison.csv").read_text()
    code, out, _ = cmx("report", "another", "out")
    assert re.fullmatch(r"reports/paper/comparison-[0-9a-f]{12}/comparison.html\n", out)
    for arguments, message in (
        (["--format", "json"], "--format json: unknown format (known: html, md, latex, csv)"),
        (["out"], "out: is given twice"),
        (["--out", "out"], "out: holds a run; give another folder"),
    ):
        code, out, err = cmx("report", "out", "another", *arguments)
        assert (code, out, err) == (2, "", f"cmx-bench: {message}\n")


def test_parts_of_a_suite_are_merged(cmx: Cli, write_suite: Callable[[str], Path]) -> None:
    suite = write_suite(TINY)
    for name in ("mixer", "net"):
        assert cmx("run", suite, "--out", name, "--only", f"{name}/params/*")[0] == 0
    code, out, err = cmx("merge", "mixer", "net", "--out", "whole")
    assert (code, out.splitlines()[-1], err) == (0, "whole/report.html", "")
    assert "Small ConvMixer" in out and cmx("verify", "whole")[0] == 0
    before = Path("whole/records.jsonl").read_bytes()
    assert cmx("merge", "mixer", "net", "--out", "whole")[0] == 0  # an earlier merge of the same
    assert Path("whole/records.jsonl").read_bytes() == before
    assert cmx("merge", "mixer", "--out", "begun")[0] == 0
    assert cmx("run", suite, "--out", "begun", "--only", "*/params/*")[0] == 0  # what no part has
    assert cmx("verify", "begun")[0] == 0
    parts = [len(Path(folder, "records.jsonl").read_text().splitlines())
             for folder in ("whole", "begun")]  # fmt: skip
    assert parts[0] == parts[1]
    code, out, err = cmx("merge", "mixer", "net", "--out", "net")
    assert (code, out) == (2, "")
    assert err == "cmx-bench: net: holds files already; give another --out\n"


def test_disturbed_values_are_told_last(cmx: Cli, disturbed: Path, another: Path) -> None:
    """On stderr, whatever is rendered, and what to do about them."""
    message = (
        "disturbed: 1 value is disturbed (marked ≈): throughput of ConvMixer-1536/20; "
        "run again when the machine is calm: python -m cmx_bench run suites/paper.yaml --fresh\n"
    )
    assert cmx("report", "disturbed") == (0, "disturbed/report.html\n", message)
    for arguments in (["--format", "csv"], ["another", "--format", "md"]):
        assert cmx("report", "disturbed", *arguments)[2] == message


def test_figures_for_a_paper(cmx: Cli, rendered: Path) -> None:
    assert cmx("report", "out", "--figures", "--style", "paper")[:2] == (0, "out/report.html\n")
    assert {path.name for path in Path("out/figures").glob("figure1.*")} == {
        "figure1.svg", "figure1.paper.png", "figure1.paper.pdf",
    }  # fmt: skip
    code, _, err = cmx("report", "out", "--style", "paper")
    assert (code, err) == (2, "cmx-bench: --style: needs --figures; add it\n")
    code, _, err = cmx("report", "out", "--figures", "--style", "poster")
    message = "cmx-bench: --style poster: unknown style (known: page, paper, slides)\n"
    assert (code, err) == (2, message)


def test_a_file_of_a_run_stands_for_its_folder(cmx: Cli, rendered: Path) -> None:
    for name in ("report.html", "report.md", "run.json"):
        assert cmx("report", f"out/{name}")[:2] == (0, "out/report.html\n")
    assert cmx("verify", "out/report.md")[:2] == cmx("verify", "out")[:2]
    Path("out/report.html").rename("page.html")
    code, _, err = cmx("report", "page.html")
    assert (code, err) == (
        2,
        "cmx-bench: page.html: all formats are written into the folder of a run, and this is a "
        "page alone; give the folder, or a file to write: -o FILE\n",
    )
    assert cmx("report", "page.html", "-o", "page.md")[:2] == (0, "page.md\n")
    code, _, err = cmx("report", ".")
    assert (
        err == "cmx-bench: .: holds no run (no run.json); give the folder of a run, such as out\n"
    )


@pytest.mark.parametrize(
    "file", ["run.json", "records.jsonl", "predictions/images.csv", "link.csv", "../page.html"]
)
def test_what_was_measured_is_not_replaced(cmx: Cli, rendered: Path, file: str) -> None:
    """By whatever name, and a page alone by no other format of itself."""
    measured = Path("out", file)
    measured.parent.mkdir(exist_ok=True)
    Path("out/link.csv").symlink_to("records.jsonl")
    Path("page.html").write_bytes(Path("out/report.html").read_bytes())
    measured.touch()
    before = measured.read_bytes()
    source = "page.html" if "page" in file else "out"
    code, out, err = cmx("report", source, "--format", "csv", "-o", measured)
    assert (code, out) == (2, "")
    assert err == f"cmx-bench: {measured}: holds what was measured; give another file\n"
    assert measured.read_bytes() == before
    assert cmx("report", source, "--format", "csv", "-o", "out/results.csv")[0] == 0


def test_verify_and_cite(cmx: Cli, rendered: Path) -> None:
    code, out, err = cmx("verify", "out")
    assert (code, err) == (0, "")
    digest = out.split()[-1]
    assert cmx("verify", "out/report.html")[1].split()[-1] == digest
    code, cited, _ = cmx("cite", "out")
    assert code == 0
    assert digest in cited and cited == cmx("cite", "out/report.html")[1]
    text = Path("out/report.md").read_text()
    assert digest in text
    Path("out/report.md").write_text(text.replace("1 measured", "2 measured"))
    code, out, _ = cmx("verify", "out")
    assert code == 1
    said = r"report\.md: line \d+: shows '- \*\*Cells:\*\* 2 measured, of 1', the raw samples give "
    assert re.match(said, out)
