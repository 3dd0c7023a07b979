"""The commands on many runs: their history, and a site of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cmx_bench import units
from cmx_bench.cli.ending import keeping
from cmx_bench.cli.telling import Code, note, say
from cmx_bench.errors import CmxError
from cmx_bench.spec import disk


def history(
    folder: Annotated[
        Path, typer.Argument(help="The folder that past runs lie in, at any depth.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the page, whose links lead to the runs from "
                                       "there.", show_default="FOLDER")
    ] = None,
) -> None:  # fmt: skip
    """Show every metric over past runs, with its change points."""
    from cmx_bench.gate.history import gathering, publishing, rows
    from cmx_bench.results import runfolder

    if out is None:
        disk.refuse_unwritable(folder)  # whether it is a run itself says who reads it
    else:
        runfolder.refuse_for_others(out)
    past = gathering.read(folder)
    if not past.runs:
        _refuse(folder, past.left_out)
    publishing.write(past, out or folder)
    say(*rows.lines(rows.of_changes(past)), (out or folder) / "history.html")
    _exit_unless_all(len(past.runs), past.left_out)


def site(
    folder: Annotated[Path, typer.Argument(help="The folder that runs lie in, at any depth.")],
    out: Annotated[
        Path, typer.Option(help="Folder of the site; a second call renders what changed.")
    ] = Path("public"),
) -> None:
    """Write a static site of many runs: an index, pages, histories."""
    from cmx_bench import report
    from cmx_bench.gate.site import renewing
    from cmx_bench.results import runfolder

    runfolder.refuse_for_others(out)
    with keeping(f"what was rendered is in {out}, the same command goes on from there"):
        renewed = renewing.renew(folder, out, report.files_of_site, note)
    if not renewed.runs:
        _refuse(folder, renewed.left_out)
    for reason in renewed.left_out:
        note(reason)
    say(f"{units.tally(renewed.runs, 'run')}: {renewed.rendered:,} rendered, "
        f"{renewed.runs - renewed.rendered:,} unchanged, {renewed.removed:,} removed",
        out / renewing.INDEX)  # fmt: skip
    _exit_unless_all(renewed.runs, renewed.left_out)


def _refuse(folder: Path, left_out: Sequence[str]) -> NoReturn:
    for reason in left_out:
        note(reason)
    why = "holds no run, nor do the folders in it; give the folder that past runs lie in"
    if left_out:
        why = f"none of {units.tally(len(left_out), 'run')} can be read"
    raise CmxError(f"{folder}: {why}")


def _exit_unless_all(runs: int, left_out: Sequence[str]) -> None:
    if left_out:
        every = units.tally(runs + len(left_out), "run")
        note(f"{len(left_out)} of {every} left out; the page says why")
        raise typer.Exit(Code.SOME_FAILED)
