"""Runs under an interpreter, loads torch once, and forks a fresh process for each order.

`python -m cmx_bench.worker.server FD` says READY on the socket FD when it has loaded, and obeys:
START carries the process's end of a pipe, on which it finds what to run; END asks how the last
process ended, answered with one line. Where what forks the processes was lost, it ends.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from cmx_bench.training.orphans import end_with
from cmx_bench.worker import forking, local
from cmx_bench.worker.local import LostError
from cmx_bench.worker.targets import Target

READY, START, END = b"r", b"s", b"e"
_GOODBYE_SECONDS = 10.0
_PARTING_SECONDS = 1.0  # enough for one that has answered, not for one that took too long


def main(orders: socket.socket) -> None:
    """Obeys until the other end is closed. One process at a time: the last one ends with that, or
    with the next order, whatever it is doing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other end is interrupted too, and closes
    end_with(os.getppid())
    if _is_closed(orders):  # whoever began this was gone before
        return
    local.start("os:getpid").join()  # the first one waits until all is loaded
    orders.sendall(READY)
    process: BaseProcess | None = None
    while True:
        order, descriptors, _, _ = socket.recv_fds(orders, 1, 1)
        if process is not None and order == END:
            process.join(_GOODBYE_SECONDS)
            end = local.explain_end(process.exitcode, forking.server())
            if isinstance(end, LostError):
                return
            orders.sendall(f"{end}\n".encode())
        elif process is not None:
            process.join(_PARTING_SECONDS)
            local.end(process)
        if not order:
            return
        if order == START:
            pipe = Connection(descriptors[0])
            process = local.start(Target.OBEY, pipe)
            pipe.close()


def _is_closed(orders: socket.socket) -> bool:
    try:
        return not orders.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False


def obey(pipe: Connection) -> None:
    """The life of a fresh process: it runs the function that the pipe names, on the pipe."""
    target, arguments = pipe.recv()
    local.run_on(pipe, target, arguments)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
