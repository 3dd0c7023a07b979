"""Ends processes together with the one that started them, and everything that these started."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Collection
from contextlib import suppress

import psutil

_SET_SIGNAL_OF_PARENTS_DEATH = 1  # PR_SET_PDEATHSIG of Linux's prctl
_SET_CHILD_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER


def end_with(parent: int) -> None:
    """Has the kernel kill this process as soon as its parent, that process, is gone.

    Its parent is the thread that started it. A thread that watches a pipe would not do it where the
    process is stopped, hangs with Python's lock held, or loads torch. Only Linux does.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_SIGNAL_OF_PARENTS_DEATH, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it was gone before
        os._exit(1)


def end_with_parent(*_: object) -> None:
    """The same for a process that `multiprocessing` forked."""
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        end_with(parent.pid)


def adopt() -> None:
    """Has the kernel make this process the parent of all that its children leave behind, programs
    that a model started among them, so that `end_strays` finds these. Only Linux does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_strays(parent: int, known: Collection[int]) -> None:
    """Kills the children of a process that nobody knows, with all that is below them.

    Args:
        known: the ids of the children that stay, with all that is below them.
    """
    with suppress(psutil.NoSuchProcess):  # the parent has ended, and so do its children
        for child in psutil.Process(parent).children():
            if child.pid not in known:
                _end_with_descendants(child)


def _end_with_descendants(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        for each in (*process.children(recursive=True), process):
            with suppress(psutil.Error):
                each.kill()
