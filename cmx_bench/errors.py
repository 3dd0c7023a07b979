"""Every error a user can cause: one line that says where, what was expected, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class CmxError(Exception):
    """A mistake in what was asked for; its text is the one line shown to the user (exit code 2)."""


class InstallError(CmxError):
    """The installation is broken: packages that do not fit together."""


class SuiteError(CmxError):
    """A suite that cannot be accepted; the text begins with ``file:line:column``."""


class PlanError(CmxError):
    """A suite that is well formed but cannot be measured on this machine."""


class ModelError(CmxError):
    """A model that cannot be built from its description."""


class MatchError(CmxError):
    """No member of a family costs as much as is wanted; the text names the nearest."""


class WeightsError(CmxError):
    """Weights that are missing, unreadable, or of another model."""


class DataError(CmxError):
    """Images or labels that are missing, unreadable, or not what was asked for."""


class SkipError(CmxError):
    """A cell that cannot be measured as things are: what it lacks, a colon, and what gives it."""


class CountError(CmxError):
    """A model whose MACs cannot be counted exactly; the text names the operator."""


class RecordsError(CmxError):
    """A run's folder that cannot be read or written."""


def first_line(error: BaseException) -> str:
    """What anybody's error says, in a line."""
    return (str(error).strip().splitlines() or ["no message"])[0]


def nearest(word: str, known: Iterable[str]) -> str:
    """`", did you mean 'x'?"` for the known words nearest to `word`, or an empty string."""
    close = get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f", did you mean {' or '.join(repr(name) for name in close)}?" if close else ""
