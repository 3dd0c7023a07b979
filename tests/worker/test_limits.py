"""The limits of this process as bash's `ulimit` names them."""

from __future__ import annotations

import resource
from collections.abc import Callable

import pytest

from cmx_bench.worker import limits

NONE = resource.RLIM_INFINITY


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has the system tell of these limits, and of no others."""

    def set_limits(**values: int) -> None:
        numbers = {getattr(resource, name): value for name, value in values.items()}
        monkeypatch.setattr(resource, "getrlimit", lambda which: (numbers.get(which, NONE), NONE))

    return set_limits


def test_without_limits_something_else_is_said(limit: Callable[..., None]) -> None:
    limit()
    assert limits.describe() == ""
    assert limits.describe(" (out of memory?)") == " (out of memory?)"


def test_limits_are_in_the_units_of_the_shell(limit: Callable[..., None]) -> None:
    limit(RLIMIT_AS=3_000_000 * 1024, RLIMIT_CPU=60)
    assert limits.describe(" (out of memory?)") == " (ulimit -v 3000000, ulimit -t 60)"


@pytest.mark.parametrize(("files", "text"), [(255, " (ulimit -n 255)"), (256, ""), (1024, "")])
def test_files_are_limited_everywhere_and_told_where_they_are_few(
    limit: Callable[..., None], files: int, text: str
) -> None:
    limit(RLIMIT_NOFILE=files)
    assert limits.describe() == text


@pytest.mark.parametrize("which", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_too_little_memory_is_refused(limit: Callable[..., None], which: str) -> None:
    limit(**{which: 10**9})
    limits.refuse_narrow()
    limit(**{which: 10**9 - 1})
    with pytest.raises(MemoryError, match="too little memory .ulimit -[vd] 976562.; allow 1 GB"):
        limits.refuse_narrow()


def test_whether_memory_ran_out_is_told_by_what_the_system_counts(
    limit: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit()
    monkeypatch.setattr(limits, "_BEFORE", "oom_kill 3")
    for now, expected in [("oom_kill 3", False), ("oom_kill 4", True), (None, True)]:
        monkeypatch.setattr(limits, "_oom_kills", lambda now=now: now)
        assert limits.may_lack_memory() is expected
    monkeypatch.setattr(limits, "_BEFORE", None)  # of macOS
    assert limits.may_lack_memory()
