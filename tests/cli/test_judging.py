"""`check` as a user types it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cmx_bench.gate import floor
from cmx_bench.gate.outputs import OUTPUTS
from cmx_bench.results import environment

from ..conftest import Cli
from ..gate.test_check import NAMES, RECORDS, RUN, earlier, scale, write_folder_anew
from ..report.synthetic import PAPER, make_records, make_run


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No self-test of this machine, and no CI around."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Path]:
    """A run, one a tenth slower, one between, one that lacks a model."""
    fewer = make_run(PAPER[:2])
    return {
        "base": write_folder_anew(tmp_path / "base", earlier(RUN), RECORDS),
        "same": write_folder_anew(tmp_path / "same", RUN, RECORDS),
        "slower": write_folder_anew(
            tmp_path / "slower", RUN, scale(NAMES[0], "throughput", 1 / 1.1)
        ),
        "between": write_folder_anew(
            tmp_path / "between", RUN, scale(NAMES[0], "throughput", 1 / 1.03)
        ),
        "fewer": write_folder_anew(tmp_path / "fewer", fewer, make_records(fewer)),
    }


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("same", 0, "PASS: "),
        ("slower", 1, "FAIL: 1 of"),
        ("between", 3, "more measuring would decide"),
        ("fewer", 1, "the run has no model"),
    ],
)
def test_check_exits_as_it_judges(
    cmx: Cli, runs: dict[str, Path], name: str, code: int, says: str
) -> None:
    got, out, err = cmx("check", runs[name], "--baseline", runs["base"])
    assert got == code, err
    assert says in out
    assert "no self-test of this machine" in out


def test_a_check_that_can_judge_nothing_is_no_regression(cmx: Cli, tmp_path: Path) -> None:
    here = make_run(PAPER[:1], measures=("throughput",))
    (shared,) = here.environments.values()
    elsewhere = dataclasses.replace(here, environments={"e1": shared | {"torch": "2.99"}})
    base = write_folder_anew(tmp_path / "here", here, make_records(here))
    run = write_folder_anew(tmp_path / "elsewhere", elsewhere, make_records(elsewhere))
    code, out, _ = cmx("check", run, "--baseline", base)
    assert code == 2
    assert out.startswith("NOTHING COMPARED: no metric of any model can be judged (1 incomparable)")
    assert "measured elsewhere: torch" in out


@pytest.mark.parametrize(
    ("policy", "code", "err"),
    [
        ("fail", 3, ""),
        ("pass", 0, ""),
        ("warn", 0, "warning: undecided, which --inconclusive warn lets through\n"),
    ],
)
def test_an_undecided_check_does_what_the_policy_says(
    cmx: Cli, runs: dict[str, Path], policy: str, code: int, err: str
) -> None:
    arguments = (runs["between"], "--baseline", runs["base"], "--inconclusive", policy)
    got, out, said = cmx("check", *arguments)
    assert (got, said) == (code, err)
    assert out.startswith("INCONCLUSIVE: ")
    arguments = (runs["slower"], "--baseline", runs["base"], "--inconclusive", policy)
    assert cmx("check", *arguments)[0] == 1


def test_check_writes_what_ci_reads(
    cmx: Cli, runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    arguments = ("--baseline", runs["base"], "--anchor", runs["between"], "--out", "verdict",
                 "--history", tmp_path)  # fmt: skip
    code, out, _ = cmx("check", runs["slower"], *arguments)
    assert code == 1
    assert "::error title=" in out
    assert {*OUTPUTS} <= {path.name for path in Path("verdict").iterdir()}
    suite = ElementTree.parse("verdict/junit.xml").getroot()
    assert len(suite.findall(".//failure")) == 2  # against the baseline and the anchor
    rates = json.loads(Path("verdict/benchmark.json").read_text())
    assert {rate["unit"] for rate in rates} == {"images/s"}
    summary = (tmp_path / "summary.md").read_text()
    assert "FAIL: " in summary
    assert str(tmp_path) in out  # and in no file that others read
    texts = [(Path("verdict") / name).read_text(encoding="utf-8") for name in OUTPUTS]
    assert not any(str(tmp_path) in text for text in (summary, *texts))
    assert "Change points over 5 runs of paper" in out
    assert list(Path("verdict/figures").glob("history-throughput-*.svg"))


def test_a_summary_that_cannot_be_written_changes_no_verdict(
    cmx: Cli, runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    code, out, said = cmx("check", runs["slower"], "--baseline", runs["base"])
    assert (code, "::error title=" in out) == (1, True)
    assert said == f"warning: the job's summary: {tmp_path}: cannot be written: Is a directory\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--baseline", "nowhere"], "nowhere: holds no run (no run.json)"),
        (["--baseline", "same"], "same: is the run itself, which says nothing; give another"),
        (["--baseline", "same/run.json"], "same/run.json: is the run itself, which says nothing"),
        (["--baseline", "base", "--threshold", "5"], "--threshold 5: expected a percentage such"),
        (["--baseline", "base", "--history", "nowhere"], "nowhere: no such folder"),
        (["--baseline", "base", "--history", "base"], "base: is a run itself; give the folder"),
        (["--baseline", "base", "--out", "base/run.json"], "run.json: cannot be written: it is no"),
        (["--baseline", "base", "--out", "same"], "same: holds a run; give another folder"),
        (
            ["--baseline", "base", "--inconclusive", "warning"],
            "unknown policy, did you mean 'warn'? (known: fail, pass, warn)",
        ),
    ],
)
def test_check_refuses_bad_input(
    cmx: Cli, runs: dict[str, Path], arguments: list[str], message: str
) -> None:
    code, out, err = cmx("check", runs["same"], *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_check_refuses_a_threshold_below_the_self_test(
    cmx: Cli, runs: dict[str, Path], stand_in_pairs: Callable[..., list[str]]
) -> None:
    known = floor.Floor(
        RUN.machine, "ci", "2026-01-01", 0.05, 10, 3.0, {}, {}, {}, 0.0, 0.0, 0.0, {"90": 0.04}
    )
    floor.write(known, floor.path(RUN.machine))
    arguments = (runs["same"], "--baseline", runs["base"], "--threshold", "2%")
    code, _, err = cmx("check", *arguments)
    assert code == 2
    assert "this machine shows a slowdown of 4 % at the least" in err
    code, out, _ = cmx("check", *arguments, "--any-threshold")
    assert code in (0, 3)
    assert "4 % at the least" in out


def test_check_needs_no_home(cmx: Cli, runs: dict[str, Path], homeless: None) -> None:
    code, out, err = cmx("check", runs["same"], "--baseline", runs["base"])
    assert (code in (0, 3), err) == (True, "")
    assert "no self-test of this machine" in out


def test_check_loads_no_torch(runs: dict[str, Path]) -> None:
    code = (
        "import sys; from cmx_bench import cli; sys.argv = ['x', 'check', *sys.argv[1:]]\n"
        "try: cli.main()\n"
        "except SystemExit: print([name for name in ('torch', 'timm', 'matplotlib')"
        " if name in sys.modules])"
    )
    line = [sys.executable, "-c", code, str(runs["same"]), "--baseline", str(runs["base"])]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_command_of_a_verdict_can_be_repeated(
    cmx: Cli, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in environment.variables(os.environ):  # a test before this may have set some
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", "my folder")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    _, out, _ = cmx("check", runs["same"], "--baseline", runs["base"])
    said = "Command: OMP_NUM_THREADS=1 PYTHONPATH='my folder' python -m cmx_bench check "
    assert said in " ".join(out.split())
