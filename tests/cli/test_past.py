"""`history` and `site` as a user types them."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from cmx_bench.gate.site import abreast

from ..conftest import Cli, interruptible
from ..gate.history.past import past_run
from ..report.synthetic import PAPER, make_records, make_run, write_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for day in range(1, 8):
        past_run(tmp_path / "past" / str(day), day, 0.8 if day > 4 else 1.0)
    return tmp_path / "past"


def test_history_says_what_changed_and_where_its_page_lies(cmx: Cli, folder: Path) -> None:
    code, out, err = cmx("history", folder)
    assert (code, err) == (0, "")
    assert "Change points over 7 runs of paper on Synthetic GPU 1" in out
    assert "25 % slower since 2026-01-05" in out
    assert out.splitlines()[-1] == str(folder / "history.html")
    assert {path.name for path in folder.iterdir() if not path.name.isdigit()} == {
        "history.html", "history.md", "history.json", "figures",
    }  # fmt: skip


def test_damaged_runs_are_named_and_the_page_is_there(cmx: Cli, folder: Path) -> None:
    (folder / "3" / "run.json").write_text("{", encoding="utf-8")
    code, out, err = cmx("history", folder, "--out", folder.parent / "page")
    assert code == 4
    assert "Left out: 3/run.json: is not valid JSON" in out
    assert err == "1 of 7 runs left out; the page says why\n"
    assert (folder.parent / "page" / "history.html").exists()


def test_a_folder_without_runs_is_refused(cmx: Cli, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, out, err = cmx("history", "empty")
    assert (code, out) == (2, "")
    assert err == (
        "cmx-bench: empty: holds no run, nor do the folders in it; give the folder that past runs "
        "lie in\n"
    )
    code, _, err = cmx("history", folder / "1")
    assert code == 2
    assert f"is a run itself; give the folder that holds runs, such as {folder}" in err
    code, _, err = cmx("history", "nowhere")
    assert (code, err) == (
        2, "cmx-bench: nowhere: no such folder; give the one that holds past runs\n",
    )  # fmt: skip


def test_a_folder_of_damaged_runs_alone_is_refused_with_each_reason(cmx: Cli, folder: Path) -> None:
    for run in folder.iterdir():
        (run / "run.json").write_text("[]", encoding="utf-8")
    code, out, err = cmx("history", folder)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 8
    assert err.endswith("none of 7 runs can be read\n")
    assert not (folder / "history.html").exists()


# --- site -----------------------------------------------------------------------------------------


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Two runs of a model's parameters, which take little to draw."""
    run = make_run(models=PAPER[:1], measures=("params",))
    for name in ("one", "other"):
        write_folder(tmp_path / "few" / name, run, make_records(run))
    return tmp_path / "few"


def test_site_says_what_it_rendered_and_where_the_index_lies(cmx: Cli, few: Path) -> None:
    code, out, err = cmx("site", "few")
    assert (code, err) == (0, "[1/2] one\n[2/2] other\n")
    assert out == "2 runs: 2 rendered, 0 unchanged, 0 removed\npublic/index.html\n"
    files = sorted(path.name for path in Path("public/runs/one").iterdir())
    assert files == ["made-of.json", "report.html", "report.json", "results.csv", "samples.csv.gz"]
    code, out, _ = cmx("verify", "public/runs/one/report.html")
    assert (code, "show what the raw samples give" in out) == (0, True)
    assert cmx("site", "few")[1].startswith("2 runs: 0 rendered, 2 unchanged, 0 removed\n")


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """To start another takes seconds."""
    monkeypatch.setattr(abreast, "_MOST", 1)


@pytest.mark.usefixtures("in_this_process")
def test_site_names_each_run_that_it_leaves_out(cmx: Cli, few: Path) -> None:
    (few / "one" / "run.json").write_text("{", encoding="utf-8")
    code, out, err = cmx("site", few, "--out", few.parent / "public")
    assert code == 4
    assert out.startswith("1 run: 1 rendered, 0 unchanged, 0 removed\n")
    assert err.splitlines()[1].startswith("one/run.json: is not valid JSON")
    assert err.splitlines()[2:] == ["1 of 2 runs left out; the page says why"]


@pytest.mark.usefixtures("in_this_process")
def test_site_refuses_what_history_refuses(cmx: Cli, few: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for given in ("empty", "nowhere", few / "one"):
        code, out, err = cmx("site", given, "--out", "public")
        assert (code, out, err) == (2, "", cmx("history", given)[2])
    for path in few.glob("*/run.json"):
        path.write_text("[]", encoding="utf-8")
    code, out, err = cmx("site", few, "--out", "public")
    assert (code, out) == (2, "")
    assert err.endswith("none of 2 runs can be read\n")
    assert not Path("public").exists()


@pytest.mark.parametrize("command", ["history", "site"])
def test_nothing_is_written_into_a_run(cmx: Cli, few: Path, command: str) -> None:
    code, out, err = cmx(command, few, "--out", few / "one")
    said = f"cmx-bench: {few / 'one'}: holds a run; give another folder\n"
    assert (code, out, err) == (2, "", said)


def test_a_site_that_is_interrupted_says_that_it_goes_on(
    few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(few.parent)
    for number in range(8):
        shutil.copytree(few / "one", few / str(number))
    line = [sys.executable, "-m", "cmx_bench", "site", str(few), "--out", "public"]
    with interruptible(line) as run:
        assert run.stderr is not None
        assert run.stderr.readline() == "[ 1/10] 0\n"
        os.killpg(run.pid, signal.SIGINT)
        rest = run.stderr.read()
    assert run.returncode == 130
    said = "interrupted; what was rendered is in public, the same command goes on from there"
    assert rest.splitlines()[-1] == said
    assert "Traceback" not in rest
    assert not Path("public/index.html").exists()
