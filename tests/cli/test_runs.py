"""`run` and `plan` as a user types them: exit codes, what is printed where, what a kill leaves."""

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
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest

from cmx_bench.cli import engines
from cmx_bench.cli.requests import Request, suite_of
from cmx_bench.execute import rounds
from cmx_bench.measures import MEASURES
from cmx_bench.metrics import METRICS
from cmx_bench.plan import Plan, making
from cmx_bench.results import records
from cmx_bench.spec.suite import SuiteFile
from cmx_bench.worker.job import Job, Outcome

from ..conftest import TINY, Cli, StandIn, append_record, interruptible, wait_until

# Every measure, of one model.
ALL = (
    TINY.replace("[params, throughput]", f"[{', '.join(MEASURES)}]")
    .replace("tes: 3", "tes: 1")
    .replace("  - {name: net, timm: resnet10t}\n", "")
)
# Three executions of a tenth of a second each.
BRIEF = (
    TINY.replace("throughput]", "load_time]")
    .replace("tes: 3", "tes: 2")
    .replace("  - {name: net, timm: resnet10t}\n", "")
)
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
    assert len(MEASURES) <= len(err.splitlines()) <= 2 * len(MEASURES)
    rows = list(csv.DictReader((page.parent / "results.csv").open()))
    measured = {row["metric"] for row in rows if row["source"] == "measured"}
    # Of CUDA, of compiling, of other runtimes, of images, and of machines that count their energy.
    elsewhere = {"reserved_memory", "device_memory", "compile_time", "export_time"}
    elsewhere |= {"top1", "top5"}
    expected = set(METRICS) - elsewhere - {"energy", "idle_power"}
    assert expected <= measured
    assert all(row["status"] == "ok" for row in rows if row["metric"] in expected)
    assert {row["status"] for row in rows if row["metric"] == "top1"} == {"skipped"}  # no weights


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


def test_the_exit_code_and_the_page_agree_on_a_contradiction(
    cmx: Cli, write_suite: Callable[[str], Path]
) -> None:
    """A record that lacks a metric of the other model's: each is fine, the cell is not."""
    suite = write_suite(TINY)
    assert cmx("run", suite, "--out", "out", "--only", "*/params/*")[0] == 0
    [first, second] = records.read(Path("out"))
    Path("out/records.jsonl").unlink()
    for record in (replace(first, values={"params": first.values["params"]}), second):
        append_record(Path("out"), record)
    code, _, err = cmx("run", suite, "--out", "out", "--only", "*/params/*")
    assert code == 4
    assert err.splitlines()[-1] == "1 of 2 cells failed; the report says why"
    assert "1 measured, 1 failed, of 2" in Path("out/report.md").read_text()


def test_plan(cmx: Cli, write_suite: Callable[[str], Path]) -> None:
    code, out, _ = cmx("plan", write_suite(TINY))
    assert code == 0
    assert "\nmixer/throughput/cpu-fp32-nchw-eager-b2-r56  3 × " in out
    assert re.fullmatch(r"4 cells on .+, about \d+ s", out.splitlines()[-1])


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

    def plan_of(request: Request, file: SuiteFile | None = None) -> Plan:
        return making.make(file or suite_of(request), cpu)

    monkeypatch.setattr(engines, "plan_of", plan_of)
    return executor


def test_the_suites_budget_and_what_stayed_wide(
    cmx: Cli, write_suite: Callable[[str], Path], measured: StandIn
) -> None:
    suite = write_suite(TINY + "precision: 90%\nbudget: 0s\n")
    code, _, err = cmx("run", suite, "--out", "out")
    assert code == 0, err
    assert len(records.read(Path("out"))) == 4
    assert "measuring each cell once takes about" in err
    assert "the budget of 0 s was spent before 2 cells had as many processes as wanted: " in err
    cells = "2 cells stayed too wide (wanted ± 90 %): throughput of Small ConvMixer, net "
    assert f"\n{cells}without an interval" in err
    assert cells in Path("out/report.md").read_text().replace("\\", "")
    code, out, err = cmx("plan", suite)
    assert re.search(r", at least \d+ s; without a budget (\d+ min )?\d+ s$", out.splitlines()[-1])
    assert err.startswith("measuring each cell once takes about ")
    assert " at least " in cmx("plan", suite, "--budget", "1h")[1].splitlines()[-1]
    assert cmx("run", suite, "--out", "out", "--budget", "60s")[0] == 0
    assert len(records.read(Path("out"))) >= 4 + 2


def test_a_quick_run_says_what_it_cannot_show(
    cmx: Cli, write_suite: Callable[[str], Path], measured: StandIn
) -> None:
    """And the whole run that follows measures all of it anew."""
    path = write_suite(TINY)
    code, out, err = cmx("run", path, "--quick")
    assert code == 0 and "\nthis is a quick run, of 2 rounds within a minute: it shows no " in err
    page = Path(out.splitlines()[-1])
    assert "<h1>tiny (quick)</h1>" in page.read_text()
    assert [records.read_run(page.parent).quick, len(measured.seen)] == [True, 2 + 2 * 2]
    code, out, err = cmx("run", path)
    assert code == 0 and "quick" not in err
    assert Path(out.splitlines()[-1]) != page and len(measured.seen) == 6 + 2 + 2 * 3


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
    done = len(measured.seen)
    better = CLAIMS.replace("top1(mixer) > top1", "params(mixer) < params")
    code, _, err = cmx("run", str(write_suite(better)), *line)
    assert (code, len(measured.seen)) == (0, done)
    assert f"continuing in out: {done} executions are there already" in err


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (TINY, ["--gate-claims"], "suite.yaml:1:1: --gate-claims: the suite makes no claims"),
        (ALL, [], "out: holds another run (of the suite tiny with other models, settings or o"),
        (TINY, ["--quick"], "out: holds another run (not a quick one); give another --out"),
        (TINY, ["--replicate", "1"], "out: holds another run (of all replicates); give another"),
        (TINY, ["--fresh"], "out: already holds a run, which --fresh would mix with a new one"),
    ],
)
def test_what_a_suite_and_a_folder_tell_is_refused_before_a_plan(
    cmx: Cli, write_suite: Callable[[str], Path], measured: StandIn,
    monkeypatch: pytest.MonkeyPatch, text: str, options: list[str], said: str,
) -> None:  # fmt: skip
    """A plan's process loads torch, for seconds."""
    assert cmx("run", write_suite(TINY), "--out", "out")[0] == 0
    monkeypatch.setattr(engines, "plan_of", lambda *_: pytest.fail("a plan was made"))
    code, out, err = cmx("run", write_suite(text), "--out", "out", *options)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_killed_goes_on(
    cmx: Cli, write_suite: Callable[[str], Path], number: signal.Signals
) -> None:
    suite = write_suite(BRIEF)
    line = [sys.executable, "-m", "cmx_bench", "run", str(suite), "--out", "out"]
    with interruptible(line) as run:
        assert run.stderr is not None
        # What others do to the machine, an exact cell, one process.
        printed = [run.stderr.readline() for _ in range(3)]
        assert re.search(r"\d\.\d of \d+ cores busy", printed[0])
        assert "(1 of 2)" in printed[-1]
        os.killpg(run.pid, number)
        rest = run.stderr.read()
    if number != signal.SIGKILL:
        assert run.returncode == 128 + number
        assert "\ninterrupted; what was measured is in out, the same command" in f"\n{rest}"
        assert "Traceback" not in rest
        assert Path("out/report.html").exists() or "the report is left out" in rest
    before = records.read(Path("out"))
    assert len(before) >= 2
    if number != signal.SIGKILL:  # it leaves more; a job array goes on after SIGTERM
        return
    code, _, err = cmx("run", suite, "--out", "out")
    assert code == 0, err
    assert f"continuing in out: {len(before)} executions are there already" in err
    after = records.read(Path("out"))
    assert after[: len(before)] == before
    assert len(after) == 1 + 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_ended_while_it_plans(
    write_suite: Callable[[str], Path], number: signal.Signals
) -> None:
    """While the server of processes loads torch: one line, and nothing is left."""
    line = [sys.executable, "-m", "cmx_bench", "plan", str(write_suite(BRIEF))]
    with (
        TemporaryDirectory() as temporary,  # a short path: it will hold a socket
        interruptible(line, os.environ | {"TMPDIR": temporary}) as plan,
    ):
        this = psutil.Process(plan.pid)
        wait_until(
            lambda: any("forkserver" in " ".join(process.cmdline()) for process in this.children()),
            plan,
        )
        started = this.children(recursive=True)
        os.killpg(plan.pid, number)
        assert plan.stderr is not None
        said = plan.stderr.read()
        plan.wait()
        _, alive = psutil.wait_procs(started, 60)
        left = list(Path(temporary).iterdir())
    word = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    assert said == f"{word}; the same command begins anew\n"
    assert plan.returncode == 128 + number
    assert not alive
    assert left == []


@pytest.mark.parametrize(
    ("streams", "code", "said"),
    [
        (">&- 2>&-", 0, ""),
        ("2> /dev/full | head -c 0", 0, ""),
        ("> /dev/full", 2, "cmx-bench: stdout: cannot be written: No space left on device"),
    ],
)
def test_streams_that_fail_end_no_measurement(
    tmp_path: Path, write_suite: Callable[[str], Path], streams: str, code: int, said: str
) -> None:
    """Nobody may read what is printed; results that were asked for and cannot be given are told."""
    suite = write_suite(BRIEF.replace("load_time", "macs"))
    line = f"{sys.executable} -m cmx_bench run {suite} --out out {streams}; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"MPLBACKEND": "none such", "SOURCE_DATE_EPOCH": "x"}, check=False,
    )  # fmt: skip
    assert ended.returncode == code
    assert ended.stderr.rstrip().endswith(said)
    assert "Traceback" not in ended.stderr
    lines = records.read(tmp_path / "out")
    assert [record.status for record in lines] == ["ok"] * 2
    assert (tmp_path / "out" / "report.html").exists()


def test_the_terminal_shows_a_live_bar(tmp_path: Path, write_suite: Callable[[str], Path]) -> None:
    """On a pseudo-terminal: a bar with the time left, and a line for each execution."""
    pty = pytest.importorskip("pty", reason="only where pseudo-terminals are")
    ours, theirs = pty.openpty()
    suite = write_suite(BRIEF.replace("load_time", "macs"))
    line = [sys.executable, "-m", "cmx_bench", "run", str(suite), "--out", "out"]
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
    assert "macs of Small ConvMixer" in text
    assert " left" in text
    assert "━" in text
    assert "[2/2] mixer/macs/r56: " in text
