"""Calls a function in a fork of this process, so that this process keeps none of its
allocations."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TypeVar

from cmx_bench.errors import CmxError, in_a_line

_Answer = TypeVar("_Answer")


def call(function: Callable[..., _Answer], *arguments: object) -> _Answer:
    """What the function gives. This process must not have computed anything with torch before:
    threads that it has by then are not there in a fork, which would wait for them.

    Raises:
        CmxError: the function raised one, or its process ended without an answer.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, function, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        answer, error = ours.recv()
    except EOFError:
        process.join()
        raise CmxError(f"the process that exported it ended with {process.exitcode}") from None
    process.join()
    if error is not None:
        raise error
    result: _Answer = answer
    return result


def _answer(pipe: Connection, function: Callable[..., object], arguments: tuple[object]) -> None:
    try:
        pipe.send((function(*arguments), None))
    except CmxError as error:
        pipe.send((None, error))
    except BaseException as error:  # a class of a user's, or of a runtime's, may not be picklable
        pipe.send((None, CmxError(in_a_line(error))))
        raise
