"""`history` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..conftest import Cli
from ..gate.history.past import past_run


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
