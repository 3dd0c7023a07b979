"""The commands as a user types them: exit codes, what is printed where, what survives a kill."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cmx_bench import planning, records, report, suite
from cmx_bench.cli import runs
from cmx_bench.execute import rounds
from cmx_bench.execute.job import Job, Outcome
from cmx_bench.measures import MEASURES
from cmx_bench.metrics import METRICS

from .conftest import TINY, Cli, StandIn, interruptible
from .report.synthetic import PAPER, make_records, make_run, write_folder

ALL = TINY.replace("[params, throughput]", f"[{', '.join(MEASURES)}]").replace("tes: 3", "tes: 1")
# Six executions of a tenth of a second each.
BRIEF = TINY.replace("throughput]", "load_time]").replace("tes: 3", "tes: 2")

# Its forward pass holds an operator that no counter has a rule for.
FOURIER = """\
import torch
from torch import nn

class Fourier(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3 * 56 * 56, 10)

    def forward(self, x):
        return self.head(torch.fft.fft2(x).real.flatten(1))
"""


def test_run_measures_everything_and_renders(cmx: Cli, write_suite: Callable[[str], Path]) -> None:
    suite = write_suite(ALL)
    code, out, err = cmx("run", suite)
    assert code == 0, err
    page = Path(out.splitlines()[-1])
    assert page.name == "report.html"
    assert page.parts[:2] == ("reports", "tiny")
    assert "Small ConvMixer" in out
    # A line each, and more where processes stayed disturbed and were repeated.
    assert 2 * len(MEASURES) <= len(err.splitlines()) <= 4 * len(MEASURES)
    rows = list(csv.DictReader((page.parent / "results.csv").open()))
    measured = {row["metric"] for row in rows if row["source"] == "measured"}
    expected = set(METRICS) - {"compile_time", "reserved_memory", "top1", "top5"}
    assert expected <= measured
    assert all(row["status"] == "ok" for row in rows if row["metric"] in expected)
    assert {row["status"] for row in rows if row["metric"] == "top1"} == {"skipped"}  # no weights

    before = (page.parent / "records.jsonl").read_bytes()
    code, out, err = cmx("run", suite, "--out", page.parent)
    assert (code, Path(out.splitlines()[-1])) == (0, page)
    assert "executions are there already" in err
    # What stayed disturbed may be repeated; what was measured stays.
    assert (page.parent / "records.jsonl").read_bytes().startswith(before)


def test_some_cells_failed(cmx: Cli, write_suite: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "fourier.py").write_text(FOURIER)
    text = TINY.replace("timm: resnet10t", "python: 'fourier:Fourier'").replace(
        "throughput]", "macs]"
    )
    suite = write_suite(text)
    code, out, err = cmx("run", suite, "--allow-import", "--out", "out")
    assert code == 4
    assert "1 of 4 cells failed; the report says why" in err
    assert out.splitlines()[-1] == "out/report.html"
    reasons = [record.reason for record in records.read(Path("out")) if record.reason]
    assert len(reasons) == 1
    assert "fft" in reasons[0]
    assert "fft" in Path("out/report.md").read_text()

    code, _, err = cmx("run", suite, "--allow-import", "--out", "all", "--only", "net/macs/*")
    assert (code, err.splitlines()[-1]) == (2, "every cell failed")


def test_the_suites_budget_and_what_stayed_wide(
    cmx: Cli, write_suite: Callable[[str], Path]
) -> None:
    suite = write_suite(TINY + "precision: 90%\nbudget: 0s\n")
    code, _, err = cmx("run", suite, "--out", "out")
    assert code == 0, err
    assert len(records.read(Path("out"))) == 4
    cells = "2 cells stayed too wide (wanted ± 90 %): mixer/throughput/cpu-fp32-nchw-eager-b2-r56"
    assert err.splitlines()[-1].startswith(f"{cells} no interval, net/throughput/")
    assert cells in Path("out/report.md").read_text().replace("\\", "")
    assert " at least " in cmx("plan", suite)[1].splitlines()[-1]
    assert cmx("run", suite, "--out", "out", "--budget", "20s")[0] == 0
    assert len(records.read(Path("out"))) >= 4 + 2


def test_the_exit_code_and_the_page_agree_on_a_contradiction(
    cmx: Cli, write_suite: Callable[[str], Path]
) -> None:
    """Two records of an exact metric that differ: each is fine, the cell is not."""
    suite = write_suite(TINY)
    assert cmx("run", suite, "--out", "out", "--only", "*/params/*")[0] == 0
    [first, _] = records.read(Path("out"))
    records.append(Path("out"), replace(first, values=first.values | {"params": [1.0]}))
    code, _, err = cmx("run", suite, "--out", "out", "--only", "*/params/*")
    assert code == 4
    assert err.splitlines()[-1] == "1 of 2 cells failed; the report says why"
    assert "1 measured, 1 failed, of 2" in Path("out/report.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nothing.yaml"], "cmx-bench: nothing.yaml: no such file"),
        (["run", "suite.yaml", "--device", "tpu"], "expected auto, cpu, cuda or cuda:N"),
        (["run", "suite.yaml", "--device", "cuda:99"], "CUDA devices; try cpu"),
        (["run", "suite.yaml", "--budget", "soon"], "--budget soon: expected a time such as 90s"),
        (["run", "suite.yaml", "--only", "x"], "--only x: no cell matches"),
        (["run", "suite.yaml", "--out", "suite.yaml"], "cannot be written"),
        (["plan", "wrong.yaml"], "wrong.yaml:5:11: measures: expected a list"),
        (["report", "."], "holds no run"),
        (["report", ".", "--format", "htm"], "unknown format, did you mean 'html'?"),
        (["report", ".", "-o", "x.pdf"], "--format pdf: unknown format"),
        (["report", ".", "--out", "x"], "--out: is for all files of several runs"),
        (["report", ".", "..", "--out", "x", "--format", "md"], "--out: is for all files of sev"),
        (["report", ".", ".."], "holds no run"),
        (["verify", "."], "holds no run"),
        (["verify", "suite.yaml"], "holds no raw samples"),
        (["cite", "nowhere"], "holds no run"),
        (["list", "models", "nothing*"], "no model of timm matches 'nothing*'"),
        (["match"], "nothing to match; give --params or --macs a number or a model"),
        (["match", "--params", "resnet51"], "unknown model 'resnet51', did you mean 'resnet"),
        (
            ["match", "--params", "5M", "--families", "diet"],
            "--families diet: unknown family, did you",
        ),
        (
            ["match", "--params", "5M", "--format", "xml"],
            "unknown format (known: table, csv, yaml)",
        ),
        (["match", "--params", "5M", "--within", "1"], "--within 1: expected a percentage such as"),
        (["match", "--params", "5"], "resnet: no member is within 1.0 % of 5 parameters"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    cmx: Cli, write_suite: Callable[[str], Path], arguments: list[str], message: str
) -> None:
    Path("wrong.yaml").write_text(TINY.replace("[params, throughput]", "3"))
    write_suite(TINY)
    code, out, err = cmx(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["rum"], ["run"], ["run", "a", "--fast"], ["list", "x"]])
def test_wrong_use_is_exit_code_2(cmx: Cli, arguments: list[str]) -> None:
    code, out, err = cmx(*arguments)
    assert (code, out) == (2, "")
    assert "Error: " in err


def test_plan_and_list(cmx: Cli, write_suite: Callable[[str], Path]) -> None:
    code, out, _ = cmx("plan", write_suite(TINY))
    assert code == 0
    assert out.splitlines()[2].startswith("mixer/throughput/cpu-fp32-nchw-eager-b2-r56  3 × ")
    assert re.fullmatch(r"4 cells on .+, about \d+ s", out.splitlines()[-1])
    assert cmx("list", "models", "convmixer*")[1].splitlines() == [
        "convmixer_768_32", "convmixer_1024_20_ks9_p14", "convmixer_1536_20",
    ]  # fmt: skip
    assert [line.split()[0] for line in cmx("list", "measures")[1].splitlines()] == list(MEASURES)
    assert [line.split()[0] for line in cmx("list", "metrics")[1].splitlines()] == list(METRICS)
    assert {"paper", "appendix"} <= {
        line.split()[0] for line in cmx("list", "suites")[1].splitlines()
    }


def test_report_in_one_format(cmx: Cli, write_suite: Callable[[str], Path]) -> None:
    cmx("run", write_suite(TINY), "--out", "out", "--only", "*/params/*")
    code, out, _ = cmx("report", "out", "--format", "csv")
    assert code == 0
    assert out == Path("out/results.csv").read_text()
    assert cmx("report", "out", "-o", "page.html")[:2] == (0, "page.html\n")
    assert Path("page.html").read_text() == Path("out/report.html").read_text()
    assert cmx("report", "out", "-o", "none/page.html")[0] == 2
    assert cmx("report", "out", "-o", "report.tex")[0] == 0
    assert Path("report.tex").read_text() == cmx("report", "out", "--format", "latex")[1]


CLAIMS = (
    TINY
    + """\
claims:
  - {say: Smaller, check: "params(mixer) < params(net)"}
  - {say: Better, check: "top1(mixer) > top1(net)"}
"""
)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, cpu: dict[str, Any]) -> StandIn:
    """`run` plans in this process and measures nothing: a mixer of 1 parameter, a net of 2."""

    def answer(job: Job) -> Outcome:
        value = {"mixer": 1.0, "net": 2.0}[job.cell.model.name]
        return Outcome({job.cell.measure: [value]}, "", cpu)

    executor = StandIn(answer)
    monkeypatch.setattr(rounds, "execute", executor)
    monkeypatch.setattr(runs, "plan_of", lambda path, *_: planning.make(suite.load(path), cpu))
    return executor


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        ("top1(mixer) > top1(net)", "params(net) > 0", 0, "claims: 2 hold"),
        ("<", ">", 1, "claims: 1 fails, 1 undecided"),
        ("<", "<=", 3, "claims: 1 holds, 1 undecided"),
    ],
)
def test_claims_gate_a_run(
    cmx: Cli, write_suite: Callable[[str], Path], measured: StandIn, old: str, new: str, code: int,
    says: str,
) -> None:  # fmt: skip
    path = str(write_suite(CLAIMS.replace(old, new, 1)))
    got, out, err = cmx("run", path, "--out", "out", "--gate-claims")
    assert (got, err.splitlines()[-1]) == (code, says)
    assert "Smaller" in out
    assert cmx("run", path, "--out", "out")[0] == 0


def test_other_claims_are_judged_without_measuring_again(
    cmx: Cli, write_suite: Callable[[str], Path], measured: StandIn
) -> None:
    line = ["--out", "out", "--gate-claims"]
    assert cmx("run", str(write_suite(CLAIMS.replace("<", ">"))), *line)[0] == 1
    seen = len(measured.seen)
    better = CLAIMS.replace("top1(mixer) > top1", "params(mixer) < params")
    assert cmx("run", str(write_suite(better)), *line)[0] == 0
    assert len(measured.seen) == seen


def test_a_suite_without_claims_has_nothing_to_gate(
    cmx: Cli, write_suite: Callable[[str], Path], measured: StandIn
) -> None:
    code, out, err = cmx("run", str(write_suite(TINY)), "--gate-claims")
    assert (code, out) == (2, "")
    assert err.endswith("suite.yaml:1:1: --gate-claims: the suite makes no claims\n")


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    """A run of one model's parameters, rendered."""
    made = make_run(models=PAPER[:1], measures=("params",))
    folder = write_folder(tmp_path / "out", made, make_records(made))
    report.write(folder)
    return folder


@pytest.fixture
def another(tmp_path: Path) -> Path:
    """The same on another device."""
    made = make_run(models=PAPER[:1], measures=("params",))
    made = replace(made, machine=made.machine | {"device_name": "Another GPU"})
    return write_folder(tmp_path / "another", made, make_records(made))


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
    ):
        code, out, err = cmx("report", "out", "another", *arguments)
        assert (code, out, err) == (2, "", f"cmx-bench: {message}\n")


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
    assert out.startswith("report.md: line 4: shows '- **Cells:** 2 measured, of 1', the raw")


def test_match(cmx: Cli) -> None:
    code, out, err = cmx("match", "--params", "convmixer_768_32", "--format", "csv")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(out.splitlines()))
    assert [row["family"] for row in rows] == ["resnet", "deit", "resmlp", "mixer"]
    for row in rows:
        assert row["target"] == "21110248"
        assert abs(float(row["residual"])) <= 0.01
    assert cmx("match", "--params", "21110248", "--format", "csv")[1] == out
    options = ("--classes", 10, "--image-size", 64, "--families", "convmixer,resnet")
    code, out, _ = cmx("match", "--params", "resnet10t", *options)  # of no family: torch counts it
    assert code == 0
    assert out.startswith("4,927,618 parameters; 10 classes, images of 64 px\n")
    assert re.search(r"^ convmixer_\w+ .+ \+?-?0\.\d+ % ", out, re.MULTILINE)


QUICK = [
    ["--help"], ["--version"], ["list", "measures"], ["list", "metrics"], ["list", "suites"],
    ["match", "--params", "21.1M", "--macs", "convmixer_768_32", "--families", "convmixer"],
]  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        *QUICK,
        ["report", "out"],
        ["report", "out", "another", "--out", "both"],
        ["verify", "out"],
        ["cite", "out"],
    ],
    ids=" ".join,
)
def test_quick_commands_load_no_torch(
    rendered: Path, another: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(rendered.parent)
    code = (
        "import sys; from cmx_bench import cli\n"
        "try: cli.main()\n"
        "finally: print(sorted({'torch', 'timm', 'fvcore'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_killed_goes_on(
    cmx: Cli, write_suite: Callable[[str], Path], number: signal.Signals
) -> None:
    suite = write_suite(BRIEF)
    line = [sys.executable, "-m", "cmx_bench", "run", str(suite), "--out", "out"]
    with interruptible(line) as run:
        assert run.stderr is not None
        printed = [run.stderr.readline() for _ in range(3)]  # two exact cells, one process
        assert "(1 of 2)" in printed[-1]
        os.killpg(run.pid, number)
        rest = run.stderr.read()
    if number == signal.SIGINT:
        assert run.returncode == 130
        assert rest.splitlines()[-1].startswith("interrupted; what was measured is in out")
        assert "Traceback" not in rest
    before = records.read(Path("out"))
    assert len(before) >= 3
    code, _, err = cmx("run", suite, "--out", "out")
    assert code == 0, err
    assert f"continuing in out: {len(before)} executions are there already" in err
    after = records.read(Path("out"))
    assert after[: len(before)] == before
    assert len(after) == 2 + 2 * 2


def test_files_in_the_working_folder_are_not_imported(
    tmp_path: Path, write_suite: Callable[[str], Path]
) -> None:
    (tmp_path / "timm.py").write_text("raise SystemExit('imported from the working folder')\n")
    script = Path(sys.executable).with_name("cmx-bench")
    done = subprocess.run(
        [script, "plan", write_suite(TINY)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "4 cells" in done.stdout


def test_the_terminal_shows_a_live_bar(tmp_path: Path, write_suite: Callable[[str], Path]) -> None:
    """On a pseudo-terminal: a bar with the time left, and a line for each execution."""
    pty = pytest.importorskip("pty", reason="only where pseudo-terminals are")
    ours, theirs = pty.openpty()
    line = [sys.executable, "-m", "cmx_bench", "run", str(write_suite(BRIEF)), "--out", "out"]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "150"}
    run = subprocess.Popen(
        line, stdout=subprocess.DEVNULL, stderr=theirs, cwd=tmp_path, env=environment
    )
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        shown += chunk
    assert run.wait(60) == 0
    text = shown.decode()
    assert "load_time of Small ConvMixer" in text
    assert " left" in text
    assert "━" in text
    assert "(2 of 2): " in text
