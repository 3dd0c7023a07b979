"""A server under an interpreter obeys: it starts one process at a time and says how it ended."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from multiprocessing import Pipe
from typing import Any

import pytest

from cmx_bench.worker import forking, local, server
from cmx_bench.worker.local import LostError, ProcessError
from cmx_bench.worker.server import END, READY, START

Orders = list[tuple[bytes, list[int]]]


class Process:
    """A process that ends as told, and notes what is done with it."""

    def __init__(self, exitcode: int) -> None:
        self.exitcode, self.done = exitcode, list[object]()

    def join(self, seconds: float | None = None) -> None:
        self.done.append(seconds)


@pytest.fixture
def obey(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[bytes, list[Process]]]:
    """What a server answers to orders, and the processes that it starts, which end so."""

    def run(orders: list[bytes], *exit_codes: int) -> tuple[bytes, list[Process]]:
        ours, theirs = socket.socketpair()
        started: list[Process] = []
        codes = iter([0, *exit_codes])

        def start(target: str, *arguments: object) -> Process:
            started.append(Process(next(codes)))
            return started[-1]

        monkeypatch.setattr(server.signal, "signal", lambda *_: None)
        monkeypatch.setattr(server, "end_with", lambda parent: None)
        monkeypatch.setattr(local, "start", start)
        monkeypatch.setattr(local, "end", lambda process: process.done.append("ended"))
        pipes = []
        received = iter([*orders, b""])

        def receive(*_: Any) -> tuple[bytes, list[int], int, None]:
            order = next(received)
            descriptors = []
            if order == START:
                pipes.append(Pipe())
                descriptors = [os.dup(pipes[-1][1].fileno())]
            return order, descriptors, 0, None

        monkeypatch.setattr(server.socket, "recv_fds", receive)
        server.main(theirs)
        theirs.close()
        answer = b"".join(iter(lambda: ours.recv(4096), b""))
        return answer, started[1:]

    return run


def test_it_is_ready_when_a_first_process_has_loaded_all(obey: Any) -> None:
    assert obey([]) == (READY, [])


def test_how_a_process_ended_is_one_line(obey: Any) -> None:
    answer, [process] = obey([START, END], -9)
    assert answer == READY + f"{local.explain_end(-9, None)}\n".encode()
    assert answer.endswith(b"\n") and b"SIGKILL" in answer
    assert process.done == [server._GOODBYE_SECONDS, server._PARTING_SECONDS, "ended"]


def test_a_process_ends_with_the_next_order(obey: Any) -> None:
    answer, [first, second] = obey([START, START], 0, 0)
    assert answer == READY
    assert first.done == second.done == [server._PARTING_SECONDS, "ended"]


def test_where_what_forks_was_lost_it_ends_without_a_word(
    obey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "server", lambda: 1)
    monkeypatch.setattr(forking, "has_ended", lambda number: True)
    assert isinstance(local.explain_end(local._SERVER_GONE, 1), LostError)
    answer, [process] = obey([START, END, START], local._SERVER_GONE, 0)
    assert answer == READY
    assert process.done == [server._GOODBYE_SECONDS]


def test_a_server_that_nobody_waits_for_loads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(server.signal, "signal", lambda *_: None)
    monkeypatch.setattr(server, "end_with", lambda parent: None)
    monkeypatch.setattr(local, "start", lambda *_: pytest.fail("a process was started"))
    ours.close()
    server.main(theirs)


def test_a_process_does_what_its_pipe_names(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = Pipe()
    done: list[tuple[object, ...]] = []
    monkeypatch.setattr(local.os, "register_at_fork", lambda **_: None)
    os.set_inheritable(theirs.fileno(), True)
    monkeypatch.setattr(
        local, "function", lambda target: lambda *given: done.append((target, *given))
    )
    ours.send(("module:name", (1, 2)))
    server.obey(theirs)
    assert done == [("module:name", theirs, 1, 2)]
    assert not os.get_inheritable(theirs.fileno())
    assert issubclass(LostError, ProcessError)
