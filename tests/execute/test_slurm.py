"""Job arrays: what the scripts say to shellcheck and to Slurm, and a whole run by a stand-in."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cmx_bench.errors import PlanError
from cmx_bench.execute import slurm
from cmx_bench.execute.slurm import Array
from cmx_bench.plan.chunks import Chunk
from cmx_bench.results import gaps, merging, records

from ..conftest import TINY, Cli
from . import sbatch

# Beside this Python where it was installed with the tests.
SHELLCHECK = shutil.which("shellcheck", path=Path(sys.executable).parent) or "shellcheck"
# Two rounds of what takes a tenth of a second.
BRIEF = TINY.replace("throughput]", "load_time]").replace("tes: 3", "tes: 2")
CHUNKS = [
    Chunk(0, ("*/params/r56", "it's/macs/r56"), 100.0),
    Chunk(1, ("net/throughput/cpu-b1", "$HOME `x` \"y\""), 200.0),
]  # fmt: skip
ODD = 'a folder\'s $(name) "%A" #1 ;|&é'


def array(**changes: Any) -> Array:
    values: dict[str, Any] = {
        "name": "tiny", "planned": "python -m cmx_bench plan tiny --slurm out",
        "run": ["suite.yaml", "--device=cpu", f"--data=digits=/{ODD}"], "chunks": CHUNKS,
        "options": {}, "gpus": 0, "cores": 4,
    }  # fmt: skip
    return Array(**{**values, **changes})


def check(script: Path) -> None:
    """Fails on anything that shellcheck says, but that names with a $ in them stay as they are."""
    line = [SHELLCHECK, "--severity=style", "--exclude=SC2016", str(script)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("folder", ["out", ODD])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"gpus": 2},
        {"chunks": CHUNKS[:1]},
        {"chunks": [Chunk(number, ("*",), 1.0) for number in range(1200)]},
        {"options": {"comment": 'it\'s #1 "x"', "exclusive": "", "time": "1:00"}},
        {"planned": "plan 'a\nrm -rf /'"},
    ],
)
def test_shellcheck_finds_nothing(tmp_path: Path, folder: str, changes: dict[str, Any]) -> None:
    slurm.write(array(**changes), slurm.place_of(Path(folder), tmp_path), tmp_path)
    for name in ("array.sh", "merge.sh"):
        check(tmp_path / folder / name)
    assert (tmp_path / folder / "logs").is_dir()


def lines_of(tmp_path: Path, **changes: Any) -> list[str]:
    slurm.write(array(**changes), tmp_path / "out", tmp_path)
    return (tmp_path / "out" / "array.sh").read_text().splitlines()


def test_what_slurm_is_told(tmp_path: Path) -> None:
    lines = lines_of(tmp_path)
    assert [line for line in lines if line.startswith("#SBATCH")] == [
        "#SBATCH --job-name=cmx-tiny",
        "#SBATCH --array=0-1",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks=1",
        "#SBATCH --exclusive",
        "#SBATCH --mem=0",
        "#SBATCH --time=00:12:00",  # twice 200 s, and 300 s, in whole minutes
        "#SBATCH --signal=B:TERM@60",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=append",
        f"#SBATCH --output={tmp_path}/out/logs/%A_%a.log",
    ]


def test_options_win_over_ours(tmp_path: Path) -> None:
    theirs = slurm.options_of(["--partition=gpu a", "time=2-00:00", "gres=gpu:a100:1", "hold"])
    options = sbatch.options_in(_written(tmp_path, array(gpus=1, options=theirs)) / "array.sh")
    assert options["partition"] == "gpu a"
    assert options["time"] == "2-00:00"
    assert options["gres"] == "gpu:a100:1"
    assert options["cpus-per-task"] == "4"
    assert options["hold"] == ""
    merging_options = sbatch.options_in(tmp_path / "out" / "merge.sh")
    assert merging_options["partition"] == "gpu a"
    assert "gres" not in merging_options and merging_options["time"] == "00:30:00"


def _written(tmp_path: Path, what: Array) -> Path:
    slurm.write(what, tmp_path / "out", tmp_path)
    return tmp_path / "out"


@pytest.mark.parametrize("text", ["-p gpu", "p", "Partition=x", "comment=a\nb", ""])
def test_what_is_no_option_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="expected a long option of sbatch, such as partition=gpu"):
        slurm.options_of([text])


@pytest.mark.parametrize(
    ("name", "reason"),
    [("taken", "holds something already"), ("file", "holds something already"),
     ("back\\slash", "is not understood by Slurm"), ("line\nbreak", "is not understood by Slurm")],
)  # fmt: skip
def test_a_folder_that_will_not_do(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "array.sh").write_text("mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(PlanError, match=reason):
        slurm.place_of(Path(name), tmp_path)
    assert (tmp_path / "taken" / "array.sh").read_text() == "mine"


def test_each_index_runs_its_own_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By an interpreter that prints its arguments."""
    python = tmp_path / "python it's"
    python.write_text('#!/bin/bash\npwd\nprintf "<%s>\\n" "$@"\n')
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    here = tmp_path / ODD
    here.mkdir()
    monkeypatch.chdir(tmp_path)
    slurm.write(array(), here / "out", here)
    for index, chunk in enumerate(CHUNKS):
        options = sbatch.options_in(here / "out" / "array.sh")
        assert sbatch.run_job(here / "out" / "array.sh", index, options, cut=False) == 0
        log = here / "out" / "logs" / f"4242_{index}.log"
        assert log.read_text().splitlines() == [
            str(here),
            *(f"<{word}>" for word in [
                "-m", "cmx_bench", "run", *array().run, f"--replicate={chunk.replicate}",
                *(f"--only={glob}" for glob in chunk.only),
                "--out", f"{here}/out/parts/00{index}",
            ]),
        ]  # fmt: skip
    merge = subprocess.run(
        ["bash", here / "out" / "merge.sh"], capture_output=True, text=True, check=True
    )
    parts = [f"<{here}/out/parts/00{index}>" for index in (0, 1)]
    assert merge.stdout.splitlines() == [
        str(here), "<-m>", "<cmx_bench>", "<merge>", *parts, "<--out>", f"<{here}/out/whole>",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "reason"),
    [({"SLURM_ARRAY_TASK_ID": "2"}, "there is no part 2: the last is 1"),
     ({}, "submit this script with sbatch")],
)  # fmt: skip
def test_an_index_without_a_part_is_refused(
    tmp_path: Path, variables: dict[str, str], reason: str
) -> None:
    script = _written(tmp_path, array()) / "array.sh"
    done = subprocess.run(["bash", script], env=variables, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode != 0 and reason in done.stderr


def submit_script(*words: str) -> list[str]:
    """What the stand-in says of each job."""
    line = [sys.executable, sbatch.__file__, *words]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[1:]


def test_an_array_that_is_cut_and_submitted_again_is_the_run_in_one_piece(
    cmx: Cli, write_suite: Callable[[str], Path], tmp_path: Path
) -> None:
    suite = write_suite(BRIEF)
    code, out, err = cmx("plan", suite, "--device", "cpu", "--slurm", "it's")
    assert code == 0, err
    first, submit, merge, script = out.splitlines()
    assert first.startswith("2 jobs on ") and ", the longest of about " in first
    assert submit == f"submit it: job=$(sbatch --parsable {shlex.quote(script)})"
    behind = shlex.quote(str(Path(script).with_name("merge.sh")))
    assert merge == f"then merge: sbatch --dependency=afterany:$job {behind}"
    # The signal comes behind the first record of the first part, of four.
    assert submit_script(script, "--cut", "0") == ["4242_0 143", "4242_1 0"]
    parts = [Path("it's/parts/000"), Path("it's/parts/001")]
    begun, done = (len(records.read(part)) for part in parts)
    assert 0 < begun < 4 and done == 2
    log = Path("it's/logs/4242_0.log").read_text()
    assert "ended by SIGTERM; what was measured is in " in log
    code, _, err = cmx("merge", *parts, "--out", "it's/whole")
    assert code == 4
    assert "1 of 2 parts is not finished (it's/parts/000): run the command of each again" in err

    before = (parts[0] / "records.jsonl").read_bytes()
    assert submit_script(script) == ["4242_0 0", "4242_1 0"]
    assert (parts[0] / "records.jsonl").read_bytes().startswith(before)
    assert "001: is finished already\n" in Path("it's/logs/4242_1.log").read_text()
    code, _, err = cmx("merge", *parts, "--out", "it's/whole")
    assert (code, merging.tell_unfinished(parts)) == (0, ""), err

    code, _, err = cmx("run", suite, "--device", "cpu", "--only", "*/params/*", "--out", "one")
    assert code == 0, err
    whole, undivided = Path("it's/whole"), Path("one")
    run, other = records.read_run(whole), records.read_run(undivided)
    assert (run.suite_hash, run.only) == (other.suite_hash, ())
    assert list(run.cells) == gaps.every_cell(run) and run.finished
    exact, timed = ([each for each in records.read(whole) if (each.measure == "params") is counted]
                    for counted in (True, False))  # fmt: skip
    values = {each.cell: each.values for each in records.read(undivided)}
    assert {each.cell: each.values for each in exact} == values and len(exact) == len(values) == 2
    assert sorted((each.cell, each.replicate) for each in timed if each.status == "ok") == [
        (cell, number) for cell in sorted({*run.cells} - values.keys()) for number in (0, 1)
    ]
