"""What a stream can show: a live terminal, colours, or only plain lines."""

from __future__ import annotations

import os
from typing import TextIO


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
