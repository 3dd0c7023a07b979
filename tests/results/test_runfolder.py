"""The folder of a run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cmx_bench.errors import RecordsError
from cmx_bench.results import runfolder


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
