"""Which code a folder holds: the git commit of a checkout, the digest of a copy of this package."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

_DIRTY = "-dirty"
# Git sets these for what its hooks run, and then looks there whatever folder it is started in.
_OF_HOOKS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX")


def code_of(package: Path) -> str:
    """Which code a copy of this package is: twelve digits of a hash of its files. Checkouts of one
    version differ; the suites, which an installed copy has beside its code, are none."""
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*")):
        name = file.relative_to(package)
        if file.is_file() and file.suffix != ".pyc" and name.parts[0] != "suites":
            digest.update(name.as_posix().encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]


def commit_of(folder: Path) -> str | None:
    """The commit that a folder of files under version control is at, with `-dirty` where they
    differ from it; None for any other folder, or without git."""
    try:
        if not _git(folder, "ls-files", "--", "."):
            return None
        return _git(folder, "describe", "--always", f"--dirty={_DIRTY}", "--abbrev=12") or None
    except (OSError, subprocess.SubprocessError):
        return None


def describe(commit: str) -> str:
    """`commit 3f2a9c1d0b7e with uncommitted changes`."""
    clean = commit.removesuffix(_DIRTY)
    return f"commit {clean}" + " with uncommitted changes" * (clean != commit)


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    outside = {name: value for name, value in os.environ.items() if name not in _OF_HOOKS}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=10, check=True, env=outside
    )
    return done.stdout.strip()
