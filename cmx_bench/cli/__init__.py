"""The commands: the only room that prints. Results on stdout, progress and errors on stderr."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cmx_bench import __version__
from cmx_bench.cli import catalogue, judging, runs
from cmx_bench.cli.telling import BAD_INPUT, INTERRUPTED, OK, note, prepare, say
from cmx_bench.errors import CmxError

app = typer.Typer(
    help="Benchmarks ConvMixer beside other vision backbones and renders the paper's table.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # with rich `--help` takes 2.9 times the CPU, `run --help` 1.7 times
    pretty_exceptions_enable=False,
)

_COMMANDS: dict[str, Callable[..., None]] = {
    "run": runs.run,
    "plan": runs.plan,
    "report": runs.report,
    "check": judging.check,
    "ab": judging.ab,
    "selftest": judging.selftest,
    "verify": runs.verify,
    "cite": runs.cite,
    "match": catalogue.match,
    "list": catalogue.list_,
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)


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
    try:
        _refuse_lost_folder()
        app(standalone_mode=True)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        if isinstance(error, CmxError):
            said = str(error)
        elif isinstance(error, OSError) and error.filename is not None:
            # No right to read, a full disk, a folder that has gone.
            said = f"{error.filename}: {error.strerror}"
        else:  # a mistake of ours: Python's own exit code would say "regression"
            traceback.print_exc()
            sys.exit(BAD_INPUT)
        note(f"cmx-bench: {said}".replace("\n", r"\n"))
        sys.exit(BAD_INPUT)
    sys.exit(OK)
