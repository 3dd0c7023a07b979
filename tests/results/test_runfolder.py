"""The folder of a run."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cmx_bench.errors import RecordsError
from cmx_bench.results import runfolder
from cmx_bench.results.runfolder import folder_of, runs_below


def test_a_name_holds_nothing_that_a_shell_reads() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert runfolder.name_of_new("AMD EPYC(TM) $x", now) == "20260102T030405Z-amd-epyc-tm-x"
    name = runfolder.name_of_new("é" * 50 + "gpu" * 50, now)
    assert name == f"20260102T030405Z-{('gpu' * 50)[:40]}"


def test_a_lock_keeps_others_away_while_it_is_held(tmp_path: Path) -> None:
    with runfolder.locking(tmp_path):
        assert runfolder.is_locked(tmp_path)
        with pytest.raises(RecordsError, match="another process measures into it"):
            runfolder.locking(tmp_path).__enter__()
    assert not runfolder.is_locked(tmp_path)


def test_files_of_a_rendering_have_folders_made_for_them(tmp_path: Path) -> None:
    """Where they are written into a folder that is not there yet, too."""
    home = tmp_path / "new" / "run"
    runfolder.write_files(home, {"report.md": "# S\n", "tables/a.csv": b"a\n"})
    runfolder.write_files(home, {"report.md": "# T\n"})
    assert (home / "report.md").read_text() == "# T\n"
    assert (home / "tables" / "a.csv").read_bytes() == b"a\n"


def test_files_are_written_within_the_folder(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "link").symlink_to(tmp_path)
    with pytest.raises(RecordsError, match="is a link"):
        runfolder.write_files(tmp_path / "run", {"link/escaped": b"x"})
    runfolder.write_files(tmp_path / "empty", {})
    assert (tmp_path / "empty").is_dir()


# --- where runs are: found at any depth, each once, and no link leads out of the folder -----------


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
