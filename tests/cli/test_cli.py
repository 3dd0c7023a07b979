"""Every command: what it refuses, what it loads, where it imports from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cmx_bench.cli.matching import FORMATS
from cmx_bench.errors import CmxError
from cmx_bench.report.formats import RENDERERS
from cmx_bench.worker import local

from ..conftest import TINY, Cli


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rum"], "cmx-bench: rum: unknown command, did you mean 'run'? (known: run, plan, repo"),
        (["paper"], "paper: unknown command; to measure that suite: python -m cmx_bench run paper"),
        (["my suite.yaml", "--quick"], "measure that suite: python -m cmx_bench run 'my suite.yam"),
        (["run", "nothing.yaml"], "cmx-bench: nothing.yaml: no such file"),
        (["run", "suite.yaml", "--processes", "0"], "--processes 0: expected a whole number from"),
        (["run", "suite.yaml", "--replicate", "1.5"], "--replicate 1.5: expected a whole number f"),
        (["match", "--params", "5M", "--classes", "9" * 5000], "from 1 to 1,048,576"),
        (["run", "suite.yaml", "--device", "tpu"], "expected auto, cpu, cuda, cuda:N"),
        (["run", "suite.yaml", "--device", "cuda:99"], ", or try --device cpu"),
        (["run", "suite.yaml", "--device", "cuda:0,0"], "--device cuda:0,0: names cuda:0 twice"),
        (["plan", "suite.yaml", "--device", "cuda:0,1"], ", or try --device cpu"),
        (["run", "suite.yaml", "--device", "cuda:all"], ", or try --device cpu"),
        (
            ["ab", "suite.yaml", "--base", sys.executable, "--device", "cuda:0,1"],
            "--device cuda:0,1: ab measures on one device; name one",
        ),
        (
            ["run", "suite.yaml", "--device", "cuda:0,1", "--processes", "2"],
            "each device trains models of its own; leave --processes out, or name one device",
        ),
        (["run", "suite.yaml", "--budget", "soon"], "--budget soon: expected a time such as 90s"),
        (["run", "suite.yaml", "--spread", "-1m"], "--spread -1m: expected a time such as 90s"),
        (["run", "suite.yaml", "--only", "*/params/x"], "--only */params/x: no cell matches"),
        (["run", "suite.yaml", "--only", "x" * 66_000], " characters, and a run keeps 65,536 a"),
        (["plan", "wrong.yaml"], "wrong.yaml:5:11: measures: expected a list"),
        ([""], "cmx-bench: '': is empty, as a variable that is not set; give a value, or leave it"),
        (["plan", ""], "cmx-bench: plan '': is empty, as a variable that is not set"),
        (["run", "suite.yaml", "--out="], "cmx-bench: --out '': is empty"),
        (["check", ".", "--baseline", ""], "cmx-bench: --baseline '': is empty"),
        (["plan", "."], "cmx-bench: .: cannot be read: it is a folder"),
        (["plan", "pipe"], "cmx-bench: pipe: cannot be read: it is no regular file"),
        (["plan"], "nothing to measure: give a suite, such as `run paper` (see: cmx-bench list su"),
        (["run", "--model", "resnet/50"], "--model resnet/50: name: expected a name of letters"),
        (["run", "suite.yaml", "--model", "net"], "--model net: 'net' is given twice; keep one"),
        (["run", "suite.yaml", "--quick", "--budget", "2m"], "--quick: repeats within one minute;"),
        (["plan", "suite.yaml", "--quick", "--spread", "2m"], "one minute; leave --spread out"),
        (["plan", "suite.yaml", "--quick", "--processes", "2"], "trains no models; leave --proces"),
        (["run", "suite.yaml", "--replicate", "1", "--budget", "2m"], "cell once; leave --budget"),
        (["run", "suite.yaml", "--replicate", "1", "--quick"], "full run; leave --quick out"),
        (["plan", "suite.yaml", "--slurm", "x", "--quick"], "in full, once; leave --quick out"),
        (["plan", "suite.yaml", "--slurm", "."], "--slurm .: holds something already; submit its"),
        (["plan", "suite.yaml", "--chunk", "2m"], "need a job array; add --slurm FOLDER"),
        (["ab", "--base", sys.executable], "nothing to measure: give a suite"),
        (["report", "."], "holds no run"),
        (["report", ".", "--format", "htm"], "unknown format, did you mean 'html'?"),
        (["report", ".", "-o", "x.pdf"], "--format pdf: unknown format"),
        (["report", ".", "--out", "x"], "--out: needs several runs and all formats"),
        (["report", ".", "..", "--out", "x", "--format", "md"], "--out: needs several runs"),
        (["report", ".", ".."], "holds no run"),
        (["verify", "."], "holds no run"),
        (["verify", "suite.yaml"], "holds no raw samples"),
        (["cite", "nowhere"], "holds no run"),
        (["list", "models", "nothing*"], "list models nothing*: nothing matches; try a glob"),
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
    os.mkfifo("pipe")
    Path("wrong.yaml").write_text(TINY.replace("[params, throughput]", "3"))
    write_suite(TINY)
    code, out, err = cmx(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--only", "x"], "--only x: no cell matches; cells look like mixer/params/…"),
        (["plan", "--only", "net/p*", "--only", "x"], ""),
        (["run", "--only", "net/macs/*"], "--only net/macs/*: no cell matches; cells look"),
        (["run", "--replicate", "3"], "--replicate 3: no cell has it; the suite's cells have 3 at"),
        (["run", "--out", "suite.yaml"], "suite.yaml: cannot be written: it is no folder"),
        (["run", "--out", "suite.yaml/out"], "suite.yaml/out: cannot be written: it is no folder"),
        (["ab", "--base", ".", "--out", "/proc/x/y"], "/proc/x/y: cannot be written: No such file"),
    ],
)
def test_what_no_machine_can_do_is_refused_before_torch_is_loaded(
    cmx: Cli, write_suite: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], message: str,
) -> None:  # fmt: skip
    def start(*_: object) -> None:
        raise CmxError("a process was started")

    write_suite(TINY)
    monkeypatch.setattr(local, "start", start)
    code, _, err = cmx(arguments[0], "suite.yaml", *arguments[1:])
    assert (code, err.count("\n")) == (2, 1)
    assert (message or "a process was started") in err


@pytest.mark.parametrize("stderr", ["", "2>/dev/full", "2>&-"])
def test_what_cannot_be_loaded_is_no_regression(stderr: str) -> None:
    script = f"ulimit -v 100000; exec {sys.executable} -m cmx_bench list suites {stderr}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    line = "cmx-bench: cannot be loaded: too little memory (ulimit -v 100000); allow 1 GB"
    assert (done.returncode, done.stdout, done.stderr[: len(line)]) == (2, "", line * (not stderr))
    assert done.stderr.count("\n") == (not stderr)


def test_the_help_says_whole_sentences_of_commands(
    cmx: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert "..." not in cmx("--help")[1].partition("Commands:")[2]


@pytest.mark.parametrize("arguments", [["run", "a", "--fast"], ["list"]])
def test_wrong_use_is_exit_code_2(cmx: Cli, arguments: list[str]) -> None:
    code, out, err = cmx(*arguments)
    assert (code, out) == (2, "")
    assert "Error: " in err


@pytest.mark.parametrize(("command", "known"), [("report", RENDERERS), ("match", FORMATS)])
def test_help_shows_the_formats(cmx: Cli, command: str, known: Mapping[str, object]) -> None:
    assert f"--format {'|'.join(known)}" in cmx(command, "--help")[1]


def test_help_shows_defaults_and_no_bounds(cmx: Cli) -> None:
    shown = "".join(cmx(command, "--help")[1] for command in ("run", "match"))
    assert "[default: 1000]" in shown and "--processes N" in shown
    assert "<=" not in shown


QUICK = [
    ["--help"], ["--version"], ["list", "measures"], ["list", "metrics"], ["list", "suites"],
    ["list", "recipes"], ["show", "ci"], ["schema"],
    ["match", "--params", "21.1M", "--macs", "convmixer_768_32", "--families", "convmixer"],
    ["report", "out"], ["report", "out", "another", "--out", "both"], ["verify", "out"],
    ["cite", "out"],
]  # fmt: skip


def test_quick_commands_load_no_torch(
    rendered: Path, another: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other in a process: the first that loads it is named."""
    monkeypatch.chdir(rendered.parent)
    code = (
        "import json, sys; from cmx_bench import cli\n"
        "for arguments in json.loads(sys.argv[1]):\n"
        "    sys.argv[1:] = arguments\n"
        "    try: cli.main()\n"
        "    except SystemExit as end: assert not end.code, arguments\n"
        "    assert not {'torch', 'timm', 'fvcore'} & sys.modules.keys(), arguments\n"
    )
    line = [sys.executable, "-c", code, json.dumps(QUICK)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


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


def test_a_home_that_cannot_be_written_is_no_news(disturbed: Path) -> None:
    """matplotlib would tell of the folder that it takes in its place."""
    moved = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    done = subprocess.run(
        [sys.executable, "-m", "cmx_bench", "report", disturbed, "-o", disturbed / "page.html"],
        env=moved | {"HOME": "/proc/nowhere"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "disturbed" in done.stderr and len(done.stderr.splitlines()) == 1
    assert "<svg" in (disturbed / "page.html").read_text()
