"""What commands say: results on stdout, the rest on stderr, and the exit codes."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from cmx_bench.errors import CmxError

OK, REGRESSION, BAD_INPUT, INCONCLUSIVE, SOME_FAILED, INTERRUPTED = 0, 1, 2, 3, 4, 130


def note(message: str) -> None:
    """Says what is no result: how it goes, what went wrong."""
    print(message, file=sys.stderr)


def give(text: str, output: Path | None) -> None:
    """Prints a rendering, or writes it to a file and prints its path."""
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CmxError(f"{output}: cannot be written: {error.strerror}") from error
    print(output)


def command_line() -> str:
    """The command as a user can repeat it."""
    return shlex.join(["python", "-m", "cmx_bench", *sys.argv[1:]])
