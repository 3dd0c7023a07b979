"""Forked processes that end with the one that forked them, however that ends."""

from __future__ import annotations

import multiprocessing
import os
import signal

# torch's own processes are bound by it too; it does nothing but on Linux.
from torch.multiprocessing import (  # type: ignore[attr-defined]
    _prctl_pr_set_pdeathsig as set_signal_of_parents_death,
)


def end_with_parent(*_: object) -> None:
    """Has the kernel kill this forked process as soon as its parent is gone.

    Its parent is the thread that forked it. A thread that watches a pipe would not do it where the
    process is stopped, or hangs with Python's lock held.
    """
    set_signal_of_parents_death(signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:  # it was gone before
        os._exit(1)
