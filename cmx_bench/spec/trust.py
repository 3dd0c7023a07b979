"""Files that a suite names: they lie below its folder, unless the user trusts it."""

from __future__ import annotations

from pathlib import Path

from cmx_bench.errors import SuiteError, quote


def locate(named: str, folder: Path, trusted: bool, instead: str = "") -> Path:
    """The path of a file that a suite names, from its folder on.

    Args:
        trusted: whether it may lie anywhere: a suite from somebody else must not have files read
            that it did not bring along.
        instead: an option by which the user can name the file.

    Raises:
        SuiteError: it lies elsewhere, itself or what it links to.
    """
    path = folder / named
    try:
        resolved = path.resolve()  # since Python 3.13 a link still, where links are a ring
        inside = resolved.is_relative_to(folder.resolve()) and not resolved.is_symlink()
    except (OSError, RuntimeError, ValueError):  # links in a ring, a null byte
        inside = False
    if inside or trusted:
        return path
    options = " or ".join(filter(None, (instead, "--allow-import if you trust this suite")))
    raise SuiteError(f"{quote(named)} lies outside the suite's folder; add {options}")


def is_file(path: Path) -> bool:
    """Whether there is a file; no name is too odd to ask for."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
