"""Processes that end with the one that started them, however that ends."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys

_SET_SIGNAL_OF_PARENTS_DEATH = 1  # PR_SET_PDEATHSIG of Linux's prctl


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
