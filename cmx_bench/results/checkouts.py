"""The commits of the checkouts that code is from."""

from __future__ import annotations

import subprocess
from pathlib import Path

_DIRTY = "-dirty"


def commit_of(folder: Path) -> str | None:
    """The commit that a folder of files under version control is at, with `-dirty` where they
    differ from it; None for any other folder, or without git."""
    try:
        if not _git(folder, "ls-files", "--", "."):
            return None
        return _git(folder, "describe", "--always", f"--dirty={_DIRTY}", "--abbrev=12") or None
    except (OSError, subprocess.SubprocessError):
        return None


def described(commit: str) -> str:
    """`commit 3f2a9c1d0b7e with uncommitted changes`."""
    clean = commit.removesuffix(_DIRTY)
    return f"commit {clean}" + " with uncommitted changes" * (clean != commit)


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()
