"""A function in a fork: its answer, its errors, and an end without either."""

from __future__ import annotations

import os

import pytest

from cmx_bench.errors import CmxError, ExportError
from cmx_bench.measures import forked


def refuse() -> None:
    raise ExportError("cannot be exported")


def fail() -> None:
    class RuntimesOwnError(Exception):
        """It cannot be pickled."""

    raise RuntimesOwnError("first line\nsecond line")


def test_the_answer_comes_from_another_process() -> None:
    assert forked.call(divmod, 17, 5) == (3, 2)
    assert forked.call(os.getpid) != os.getpid()


def test_what_it_keeps_is_lost_with_it() -> None:
    kept: list[int] = []
    forked.call(kept.append, 1)
    assert kept == []


def test_errors_for_the_user_come_as_they_are() -> None:
    with pytest.raises(ExportError, match="^cannot be exported$"):
        forked.call(refuse)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_other_errors_come_in_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CmxError, match="^RuntimesOwnError: first line$"):
        forked.call(fail)
    assert "RuntimesOwnError" in capfd.readouterr().err  # whose traceback stands in the log


def test_an_end_without_an_answer_is_told() -> None:
    with pytest.raises(CmxError, match="^the process that exported it ended with 3$"):
        forked.call(os._exit, 3)
