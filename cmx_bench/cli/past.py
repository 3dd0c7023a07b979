"""The command that shows how runs went from one to the next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cmx_bench import units
from cmx_bench.cli.telling import SOME_FAILED, note, say
from cmx_bench.errors import CmxError


def history(
    folder: Annotated[
        Path, typer.Argument(help="The folder of past runs: one or two folders below it.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the page, whose links lead to the runs from "
                                       "there.", show_default="FOLDER")
    ] = None,
) -> None:  # fmt: skip
    """Show every model and metric over past runs, with its change points, as a page."""
    from cmx_bench.gate.history import gathering, publishing, rows

    past = gathering.read(folder)
    if not past.runs:
        for reason in past.left_out:
            note(reason)
        raise CmxError(f"{folder}: {_none(folder, len(past.left_out))}")
    publishing.write(past, out or folder)
    say(*rows.lines(rows.of_changes(past)), (out or folder) / "history.html")
    if past.left_out:
        every = len(past.runs) + len(past.left_out)
        note(f"{len(past.left_out)} of {units.counted(every, 'run')} left out; the page says why")
        raise typer.Exit(SOME_FAILED)


def _none(folder: Path, damaged: int) -> str:
    """Why there is no run in a folder, and what to do."""
    if damaged:
        return f"none of {units.counted(damaged, 'run')} can be read"
    if (folder / "run.json").exists():
        return f"is a run itself; give the folder that holds runs, such as {folder.parent}"
    return "holds no run, nor do the folders in it; give the folder that past runs lie in"
