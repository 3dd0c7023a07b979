"""Pauses Python's garbage collector while many objects are made and little garbage is.

It searches the living again and again while they become more: a third of the time in which records
are read and judged.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def pausing() -> Iterator[None]:
    """Pauses the garbage collector inside, and resumes it afterwards."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
