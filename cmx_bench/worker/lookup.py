"""Where the processes of a command find modules: at the same places as the command."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import cmx_bench


def import_path() -> list[str]:
    """Where a server finds modules: where this process finds them, but not in the working folder,
    unless PYTHONPATH names it or this package lies in it.

    A file torch.py there, or another checkout of this package, would be taken for the installed
    one. CPython (seen in 3.11) has a server look there first, if it is not told otherwise.
    """
    here = Path.cwd()
    given = map(Path, filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    kept = {path.resolve() for path in (*given, Path(cmx_bench.__file__).parent.parent)}
    folders = [(folder, Path(folder).resolve()) for folder in sys.path if folder]
    return [folder for folder, path in folders if path != here or path in kept]


def variables(folders: Iterable[str]) -> Mapping[str, str]:
    """The environment of an interpreter that finds modules in these folders, and not where it is
    started."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, folders)), "PYTHONSAFEPATH": "1"}
