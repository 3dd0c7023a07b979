"""The commands: the only room that prints. Results on stdout, progress and errors on stderr."""

from __future__ import annotations

import logging
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import wraps
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from cmx_bench import __version__
from cmx_bench.cli import catalogue, ending, judging, past, planning, runs
from cmx_bench.cli.telling import Code, is_rich, note, prepare, refuse, say
from cmx_bench.errors import CmxError, describe, is_of_surroundings, nearest
from cmx_bench.spec import shipped
from cmx_bench.worker import limits

app = typer.Typer(
    help="Compares ConvMixer with other vision backbones and renders the paper's table.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_COMMANDS: dict[str, Callable[..., None]] = {
    "run": runs.run,
    "plan": planning.plan,
    "report": runs.report,
    "merge": runs.merge,
    "check": judging.check,
    "ab": judging.ab,
    "selftest": judging.selftest,
    "history": past.history,
    "site": past.site,
    "verify": runs.verify,
    "cite": runs.cite,
    "match": catalogue.match,
    "list": catalogue.list_,
    "show": catalogue.show,
    "schema": catalogue.schema,
}


def _plain(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose surroundings fail it in one line; typer would take an EOFError for the end of
    the user's input, and exit with the code of a regression."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except CmxError as error:
            if not is_of_surroundings(error):
                raise
            said = str(error)
        except (OSError, EOFError, MemoryError) as error:
            _refuse_lost_folder()
            said = describe(error)
        else:
            return
        raise CmxError(f"{said}{limits.describe()}")

    return run


for _name, _command in _COMMANDS.items():
    app.command(_name)(_plain(_command))


def _version(show: bool) -> None:
    if show:
        say(f"cmx-bench {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def _refuse_lost_folder() -> None:
    try:
        Path.cwd()
    except FileNotFoundError:
        raise CmxError("the working folder is not there any more; go to another") from None


def main() -> NoReturn:
    """Runs the command line and exits with the contract's code."""
    prepare()
    os.environ["MPLBACKEND"] = "agg"  # commands draw into files, whatever the user's notebooks do
    os.environ.pop("SOURCE_DATE_EPOCH", None)  # numpy fails where it is no number
    # Where a home cannot be written it would tell of the folder that it takes in its place.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    with ending.heeding():
        sys.exit(_code())


def _refuse_unknown(words: Sequence[str]) -> None:
    """Refuses a first word that is no command, and says which was meant: one that sounds alike, or
    `run` where the word is a suite."""
    if not words or words[0].startswith("-") or words[0] in _COMMANDS:
        return
    word = words[0]
    if word in shipped.suites() or word.endswith((".yaml", ".yml")):
        meant = f"; to measure that suite: python -m cmx_bench run {shlex.quote(word)}"
    else:
        meant = f"{nearest(word, _COMMANDS)} (known: {', '.join(_COMMANDS)})"
    raise CmxError(f"{word}: unknown command{meant}")


def _refuse_empty(words: Sequence[str]) -> None:
    """Refuses a word without a value: as a path it would be the working folder."""
    for before, word in pairwise(("", *words)):
        option = word.removesuffix("=") if word.startswith("--") else before
        if word in ("", f"{option}="):
            raise CmxError(f"{option} ''".lstrip() + ": is empty, as a variable that is not set; "
                           "give a value, or leave it out")  # fmt: skip


def _code() -> int:
    try:
        _refuse_lost_folder()
        _refuse_empty(sys.argv[1:])
        _refuse_unknown(sys.argv[1:])
        return _run()
    except ending.Ended as end:
        note(f"{end}; the same command begins anew")
        ending.end_children()
        return end.code
    except CmxError as error:
        said = str(error)
    except OSError as error:
        said = describe(error)
    except Exception:  # a mistake of ours: Python's own exit code would say "regression"
        traceback.print_exc()
        return Code.BAD_INPUT
    refuse(said)
    return Code.BAD_INPUT


def _run() -> int:
    # rich is slow to load: only where help and refusals are shown in frames and colours.
    in_frames = is_rich(sys.stdout) and is_rich(sys.stderr)
    app.rich_markup_mode = "rich" if in_frames else None
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else Code.OK
    return Code.OK
