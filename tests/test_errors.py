"""What errors say: one line, of a length that somebody reads, with the nearest word."""

from __future__ import annotations

import errno

import pytest

from cmx_bench import errors
from cmx_bench.errors import MOST_OF_A_QUOTE, MOST_OF_A_REASON


class MuteError(Exception):
    """One whose text fails, as that of a user's class may."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first\nsecond"), "first"),
        (ValueError("\n  after a blank line\n"), "after a blank line"),
        (ValueError(""), "no message"),
        (MuteError(), "no message"),
        (ValueError("x" * MOST_OF_A_REASON), "x" * MOST_OF_A_REASON),
        (ValueError("x" * (MOST_OF_A_REASON + 1)), "x" * (MOST_OF_A_REASON - 1) + "…"),
    ],
)
def test_first_line(error: Exception, line: str) -> None:
    assert errors.first_line(error) == line


def test_a_quote_is_no_longer_than_a_line_can_hold() -> None:
    assert errors.quote("it's") == '"it\'s"'
    assert errors.quote("a\nb") == r"'a\nb'"
    assert errors.quote("y" * 1000) == repr("y" * (MOST_OF_A_QUOTE - 1) + "…")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("digitz", ", did you mean 'digits'?"),
        ("resnet51", ", did you mean 'resnet50' or 'resnet152'?"),
        ("zebra", ""),
    ],
)
def test_the_nearest_words_are_named(word: str, hint: str) -> None:
    assert errors.nearest(word, ["digits", "resnet50", "resnet152"]) == hint


def test_a_full_disk_is_of_the_surroundings_whatever_it_was_raised_as() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "weights.bin")
    assert errors.is_of_surroundings(full)
    assert errors.is_of_surroundings(OSError(errno.EFBIG, "File too large"))
    assert not errors.is_of_surroundings(OSError(errno.ENOENT, "No such file"))
    assert not errors.is_of_surroundings(None)
    wrapped = RuntimeError("cannot write")
    wrapped.__cause__ = full
    assert errors.is_of_surroundings(wrapped)
    during = RuntimeError("while that was handled")
    during.__context__ = wrapped
    assert errors.is_of_surroundings(during)
    assert not errors.is_of_surroundings(RuntimeError("of the model"))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a.bin"),
         "a.bin: No space left on device"),
        (OSError(errno.EAGAIN, "Resource temporarily unavailable"),
         "Resource temporarily unavailable"),
        (OSError("cannot fork"), "cannot fork"),
        (MemoryError(), "MemoryError"),
        (EOFError("the pipe was closed"), "the pipe was closed"),
    ],
)  # fmt: skip
def test_what_was_lacking_in_a_line(error: OSError | EOFError | MemoryError, text: str) -> None:
    assert errors.describe(error) == text
