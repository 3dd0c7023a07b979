"""Runs are found at any depth, each once, and no link leads out of the folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cmx_bench.errors import RecordsError
from cmx_bench.results.whereabouts import folder_of, runs_below


def run_in(folder: Path, name: str = "run.json") -> Path:
    folder.mkdir(parents=True)
    (folder / name).touch()
    return folder


def test_runs_lie_at_any_depth_and_none_within_another(tmp_path: Path) -> None:
    runs = [run_in(tmp_path / "a/b/c d"), run_in(tmp_path / "a/lost", "records.jsonl"),
            run_in(tmp_path / "z")]  # fmt: skip
    run_in(tmp_path / "z" / "parts" / "1")
    (tmp_path / "a" / "notes").mkdir()
    below = runs_below(tmp_path)
    assert below.runs == tuple(runs)
    assert below.left_out == ()


def test_a_folder_that_is_a_run_itself_is_not_below(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run")
    with pytest.raises(RecordsError, match=f"run: is a run itself; give .* such as {tmp_path}$"):
        runs_below(run)
    part = run_in(run / "parts" / "1")
    assert runs_below(run).runs == (part,)


def test_links_within_the_folder_are_the_same_runs(tmp_path: Path) -> None:
    run = run_in(tmp_path / "2026")
    (tmp_path / "latest").symlink_to("2026")
    (tmp_path / "round").symlink_to(tmp_path)
    assert runs_below(tmp_path).runs == (run,)
    assert runs_below(tmp_path).left_out == ()


@pytest.mark.parametrize("target", ["", "run"])
def test_links_out_of_the_folder_are_named(tmp_path: Path, target: str) -> None:
    run_in(tmp_path / "secret" / "run")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "secret" / target)
    (tmp_path / "runs" / "data").symlink_to("/usr/share")  # holds no run
    below = runs_below(tmp_path / "runs")
    assert below.runs == ()
    [reason] = below.left_out
    assert reason == (f"{tmp_path}/runs/link: is a link out of {tmp_path}/runs, and not followed; "
                      "move the runs into it")  # fmt: skip


@pytest.mark.skipif(os.getuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    run_in(tmp_path / "closed" / "run")
    (tmp_path / "closed").chmod(0)
    [reason] = runs_below(tmp_path).left_out
    (tmp_path / "closed").chmod(0o755)
    assert reason == f"{tmp_path}/closed: cannot be read: Permission denied"


def test_a_file_beside_a_run_leads_to_its_folder(tmp_path: Path) -> None:
    for name in ("run.json", "records.jsonl", "report.html"):
        assert folder_of(tmp_path / name) == tmp_path / name  # there is no run yet
        (tmp_path / name).touch()
    assert folder_of(tmp_path / "report.html") == tmp_path
    assert folder_of(tmp_path) == tmp_path and folder_of(tmp_path / "no") == tmp_path / "no"


def test_there_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match=r"no such folder; give the one that holds past runs"):
        runs_below(tmp_path / "nowhere")
