"""What commands say: results on stdout, the rest on stderr, and the exit codes."""

from __future__ import annotations

import io
import os
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from cmx_bench.errors import CmxError
from cmx_bench.spec import disk
from cmx_bench.units import escaped

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

OK, REGRESSION, BAD_INPUT, INCONCLUSIVE, SOME_FAILED = 0, 1, 2, 3, 4


class _Notes(io.FileIO):
    """Standard error: nothing ends because nobody can be told how it goes."""

    def write(self, data: ReadableBuffer, /) -> int:
        with suppress(OSError):
            return super().write(data)
        return memoryview(data).nbytes


def prepare() -> None:
    """Lets stdout take every character, whatever its encoding is, and stderr fail. Has the first
    three descriptors open, here and in all processes that are started: a file that got one of a
    closed stream would get what is printed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    if sys.stderr is sys.__stderr__:  # and not that of a program that calls this one
        encoding = sys.stderr.encoding if sys.stderr else "utf-8"
        lines = io.BufferedWriter(_Notes(2, "w", closefd=False))
        sys.stderr = io.TextIOWrapper(lines, encoding, "backslashreplace", line_buffering=True)


def say(*lines: object) -> None:
    """Prints results for people, each on a line.

    Raises:
        CmxError: stdout cannot be written.
    """
    _write(sys.stdout, "".join(f"{escaped(str(line))}\n" for line in lines))


def note(message: object) -> None:
    """Says what is no result: how it goes, what went wrong."""
    with suppress(CmxError):
        _write(sys.stderr, f"{escaped(str(message))}\n")


def give(text: str, output: Path | None = None) -> None:
    """Prints a rendering for programs, or writes it to a file and prints its path. It is UTF-8, as
    the file is, wherever no terminal shows it.

    Raises:
        CmxError: stdout or the file cannot be written.
    """
    if output is not None:
        disk.write(output, text)
        say(output)
        return
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8")
    _write(sys.stdout, text)


def _write(stream: TextIO | None, text: str) -> None:
    """Prints at once; nothing where the stream is closed, or whoever read it has gone."""
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        with Path(os.devnull).open("wb") as nowhere:  # what is left is flushed there at the exit
            os.dup2(nowhere.fileno(), stream.fileno())
        if not isinstance(error, BrokenPipeError):
            raise CmxError(
                f"{stream.name.strip('<>')}: cannot be written: {error.strerror}"
            ) from error


def command_line() -> str:
    """The command as a user can repeat it."""
    return escaped(shlex.join(["python", "-m", "cmx_bench", *sys.argv[1:]]))
