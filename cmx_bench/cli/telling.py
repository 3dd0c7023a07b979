"""What commands say: results on stdout, the rest on stderr, and the exit codes."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer

from cmx_bench.errors import CmxError
from cmx_bench.spec import disk
from cmx_bench.units import escape

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Code(IntEnum):
    """The exit codes of the contract."""

    OK = 0
    REGRESSION = 1
    BAD_INPUT = 2
    INCONCLUSIVE = 3
    SOME_FAILED = 4


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


# --- what a stream can show -----------------------------------------------------------------------


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody sees the stream on a terminal that can do more than a printer."""
    return stream is not None and stream.isatty() and not _is_dumb()


def is_rich(stream: TextIO | None) -> bool:
    """Whether it shows frames and colours: on a terminal, or where FORCE_COLOR says so, as for the
    logs of CI; see force-color.org. A dumb terminal shows none, whatever is forced."""
    forced = bool(os.environ.get("FORCE_COLOR")) and not _is_dumb()
    return is_terminal(stream) or (forced and stream is not None)


def has_colours(stream: TextIO | None) -> bool:
    """Whether it shows colours; NO_COLOR takes them away: see no-color.org."""
    return is_rich(stream) and not os.environ.get("NO_COLOR")


def _is_dumb() -> bool:
    return os.environ.get("TERM", "") in ("dumb", "unknown")


# --- lines ----------------------------------------------------------------------------------------


def say(*lines: object) -> None:
    """Prints results for people, each on a line.

    Raises:
        CmxError: stdout cannot be written.
    """
    _write(sys.stdout, "".join(f"{escape(str(line))}\n" for line in lines))


def say_rows(rows: Iterable[tuple[str, str]]) -> None:
    """Prints results for people, each a name and what there is to say of it, in two columns."""
    lines = [(escape(name), escape(about)) for name, about in rows]
    width = max((len(name) for name, _ in lines), default=0)
    named = partial(_style, sys.stdout, fg=typer.colors.CYAN, bold=True)
    text = "".join(
        f"{named(name)}{' ' * (width - len(name))}  {about}".rstrip() + "\n"
        for name, about in lines
    )
    _write(sys.stdout, text)


def draw(paint: Callable[[int, bool], str]) -> None:
    """Prints what `paint` gives for this many columns, with or without colours. Its words are
    already escaped."""
    width = shutil.get_terminal_size((160, 24)).columns
    _write(sys.stdout, f"{paint(width, has_colours(sys.stdout))}\n")


def note(message: object, beware: bool = False) -> None:
    """Prints what is not a result, on stderr: progress and warnings."""
    text = escape(str(message))
    with suppress(CmxError):
        _write(
            sys.stderr, f"{_style(sys.stderr, text, fg=typer.colors.YELLOW) if beware else text}\n"
        )


def refuse(message: str) -> None:
    """Prints one line that says why the command cannot do what was asked."""
    name = _style(sys.stderr, "cmx-bench:", fg=typer.colors.RED, bold=True)
    with suppress(CmxError):
        _write(sys.stderr, f"{name} {escape(message)}".replace("\n", r"\n") + "\n")


def _style(stream: TextIO | None, text: str, **style: Any) -> str:
    return typer.style(text, **style) if has_colours(stream) else text


def give(text: str, output: Path | None = None) -> None:
    """Prints a rendering for programs, or writes it to a file and prints its path. It is UTF-8, as
    the file is, wherever no terminal shows it. A device, a pipe or a link is written and stays.

    Raises:
        CmxError: stdout or the file cannot be written.
    """
    if output is not None and output.exists() and (output.is_symlink() or not output.is_file()):
        with disk.writing(output), output.open("wb") as file:
            file.write(text.encode(errors="backslashreplace"))
        return
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
    """The command line in a form that a user can repeat."""
    return escape(shlex.join(["python", "-m", "cmx_bench", *sys.argv[1:]]))
