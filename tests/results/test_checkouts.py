"""The commit of a checkout, where it has one, and the digest of a copy of this package."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from cmx_bench.results.checkouts import code_of, commit_of, describe

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@localhost")
    command = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@needs_git
def test_a_folder_in_a_checkout_has_its_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "net.py").write_text("1\n", encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    commit = git(tmp_path, "rev-parse", "--short=12", "HEAD")
    assert commit_of(tmp_path) == commit
    (tmp_path / "net.py").write_text("2\n", encoding="utf-8")
    assert commit_of(tmp_path) == f"{commit}-dirty"
    assert describe(f"{commit}-dirty") == f"commit {commit} with uncommitted changes"


@needs_git
def test_a_hook_of_another_checkout_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = []
    for name in ("ours", "other"):
        folder = tmp_path / name
        folder.mkdir()
        git(folder, "init", "-q")
        (folder / "net.py").write_text(name, encoding="utf-8")
        git(folder, "add", ".")
        git(folder, "commit", "-qm", name)
        commits.append(git(folder, "rev-parse", "--short=12", "HEAD"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other/.git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other/.git/index"))
    assert [commit_of(tmp_path / name) for name in ("ours", "other")] == commits


@needs_git
def test_other_folders_have_none(tmp_path: Path) -> None:
    assert commit_of(tmp_path) is None
    git(tmp_path, "init", "-q")
    assert commit_of(tmp_path) is None  # nothing in it is under version control
    assert commit_of(tmp_path / "nowhere") is None


def test_code_is_all_files_of_a_package_but_what_an_installation_adds(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "net.py").write_text("1\n", encoding="utf-8")
    codes = [code_of(tmp_path)]
    for name in ("suites/paper.yaml", "__pycache__/net.pyc"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
        assert code_of(tmp_path) == codes[0]
    for name, text in (("net.py", "2\n"), ("templates/page.html", ""), ("other.py", "2\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
        codes.append(code_of(tmp_path))
    assert len(set(codes)) == 4
