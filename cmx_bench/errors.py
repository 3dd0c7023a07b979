"""Every error a user can cause: one line that says where, what was expected, and what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from difflib import get_close_matches


class CmxError(Exception):
    """A mistake in what was asked for; its text is the one line shown to the user (exit code 2)."""


class SuiteError(CmxError):
    """A suite that cannot be accepted; the text begins with ``file:line:column``."""


class PlanError(CmxError):
    """A suite that is well formed but cannot be measured on this machine, with its packages."""


class ModelError(CmxError):
    """A model that cannot be built from its description."""


class RefusedModelError(ModelError):
    """A model that a suite describes cannot be built, with or without values; `key` is the place in
    its entry that is wrong."""

    def __init__(self, message: str, key: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.key = key


class ExportError(CmxError):
    """A runtime cannot take the model, or gives other logits than torch."""


class MatchError(CmxError):
    """No member of a family costs as much as is wanted; the text names the nearest."""


class WeightsError(CmxError):
    """Weights that are missing, unreadable, or of another model."""


class DataError(CmxError):
    """Images or labels that are missing, unreadable, or not what was asked for."""


class SkipError(CmxError):
    """A cell that this machine cannot measure now. The text says what is missing, a colon, and how
    to get it."""


class CountError(CmxError):
    """A model whose MACs cannot be counted exactly; the text names the operator."""


class SamplesError(CmxError):
    """A measure that gives what no record can hold; the text says what was expected."""


class RecordsError(CmxError):
    """A run's folder that cannot be read or written."""


MOST_OF_A_TEXT = 2**16  # longer ones than titles, labels and command lines have are in no run
MOST_OF_A_REASON = 2000
MOST_OF_A_QUOTE = 40

_OF_SURROUNDINGS = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG,  # disks
    errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM,  # descriptors, processes, memory
)  # fmt: skip


def is_of_surroundings(error: BaseException | None) -> bool:
    """Whether an error, or one that caused it, tells of a full disk, of a file at its limit, of no
    more descriptors or processes: whatever was tried when it came is not at fault."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _OF_SURROUNDINGS:
            return True
        error = error.__cause__ or error.__context__
    return False


def describe(error: OSError | EOFError | MemoryError) -> str:
    """What the machine lacked, in a line."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error) or f"{type(error).__name__}"
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror}"


def first_line(error: BaseException) -> str:
    """The text of any error, in a line of at most `MOST_OF_A_REASON` characters."""
    return cut((message_of(error).strip().splitlines() or ["no message"])[0])


def in_a_line(error: BaseException) -> str:
    """`ValueError: ` and the first line of what it says."""
    return f"{type(error).__name__}: {first_line(error)}"


def message_of(error: BaseException) -> str:
    """The text of an error; empty if the code that makes the text, perhaps a user's, fails."""
    try:
        return str(error)
    except Exception:
        return ""


def cut(text: str, most: int = MOST_OF_A_REASON) -> str:
    """`text`, or its beginning where it has more than `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def quote(text: str) -> str:
    """A text from a suite or a file in quotes, cut so that a stranger cannot make us print more."""
    return repr(cut(text, MOST_OF_A_QUOTE))


def nearest(word: str, known: Iterable[str]) -> str:
    """`", did you mean 'x'?"` for the known words nearest to `word`, or an empty string."""
    close = get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f", did you mean {' or '.join(repr(name) for name in close)}?" if close else ""
