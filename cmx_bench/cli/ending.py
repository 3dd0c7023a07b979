"""How signals end a command. The first raises `Ended`, and the command cleans up. The second ends
at once what is still done for the user. The third ends everything."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import psutil
import typer

from cmx_bench.cli.telling import note

# Schedulers send SIGUSR1 and SIGUSR2 as a warning, an alarm clock SIGALRM: without a handler they
# end a process at once.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGXCPU", "SIGUSR1", "SIGUSR2", "SIGALRM")
_SIGNALS = [number for number in signal.Signals if number.name in _NAMES]
_PATIENCE = 2  # signals after the first
_AGAIN = signal.SIGURG  # tells this process to try again what could not be done at once
_UNTIL_AGAIN = 0.05  # seconds
_MOST_TRIES = 200  # ten seconds
_later: list[int] = []  # the signals that came while things were put away
_tried: list[int] = []  # the signal that waits for a module, once for each try


class Ended(BaseException):
    """A signal asks this command to end. It is no `Exception`, because nothing has failed."""

    def __init__(self, number: int) -> None:
        self.number = number
        name = signal.Signals(number).name
        super().__init__("interrupted" if number == signal.SIGINT else f"ended by {name}")

    @property
    def code(self) -> int:
        """The exit code, as a shell reports it."""
        return 128 + self.number


@contextmanager
def heeding() -> Iterator[None]:
    """Makes the signals that end a command raise `Ended`, once. A signal that the parent ignores
    (nohup) stays ignored."""
    _later.clear()
    _tried.clear()
    before = {number: signal.getsignal(number) for number in (*_SIGNALS, signal.SIGTSTP, _AGAIN)}
    hook_before, sys.unraisablehook = sys.unraisablehook, _heed_ignored
    heard = [number for number, handler in before.items() if handler != signal.SIG_IGN]
    _install(_end, _SIGNALS)
    _install(_pause, [signal.SIGTSTP])
    signal.signal(_AGAIN, _try_again)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])
        sys.unraisablehook = hook_before


def outlast() -> None:
    """Lets this process, which has said all, put away what is left and end by itself; the second
    signal ends it at once."""
    _install(_note, _SIGNALS)


def _install(handler: Callable[[int, FrameType | None], None], numbers: Iterable[int]) -> None:
    for number in numbers:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    if _tried:  # the second: what is loading hangs, and its module is needed no more
        _later.append(number)
    elif _is_importing(frame):
        _try_later(number)
        return
    _raise(number)


def _raise(number: int) -> None:
    _tried.clear()
    _install(_note, _SIGNALS)
    raise Ended(number)


def _try_later(number: int) -> None:
    _tried.append(number)
    later = threading.Timer(_UNTIL_AGAIN, os.kill, (os.getpid(), _AGAIN))
    later.daemon = True
    later.start()


def _try_again(_: int, frame: FrameType | None) -> None:
    if not _tried:  # a second signal was quicker
        return
    number = _tried[0]
    if _is_importing(frame):
        if len(_tried) < _MOST_TRIES:
            _try_later(number)
            return
        _later.append(number)
    _raise(number)


def _is_importing(frame: FrameType | None) -> bool:
    """Whether a module is being loaded. The report of what was measured may still need it, and
    extension modules, such as those of pandas, cannot be loaded again when half of them was."""
    while frame is not None and "importlib._bootstrap" not in frame.f_code.co_filename:
        frame = frame.f_back
    return frame is not None


def _heed_ignored(error: sys.UnraisableHookArgs) -> None:
    """Raises an `Ended` again that Python ignored, as it does in a `__del__`."""
    if isinstance(error.exc_value, Ended):
        _try_later(error.exc_value.number)
    else:
        sys.__unraisablehook__(error)


def _note(number: int, _: FrameType | None) -> None:
    _later.append(number)
    if len(_later) >= _PATIENCE:  # what is put away hangs
        end_children()
        os._exit(128 + number)


def _pause(number: int, _: FrameType | None) -> None:
    """Stops this process (Ctrl-Z) and those below it, which the terminal does not stop where they
    have groups of their own; all go on when this one does."""
    children = _below()
    _send(children, signal.SIGSTOP)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    signal.signal(number, _pause)
    _send(children, signal.SIGCONT)


def _below() -> list[psutil.Process]:
    with suppress(psutil.Error):  # /proc is hidden: they end with this process
        return psutil.Process().children(recursive=True)
    return []


def _send(children: Iterable[psutil.Process], number: int) -> None:
    for child in children:
        with suppress(psutil.Error):  # it has ended
            child.send_signal(number)


@contextmanager
def keeping(what: str, at_last: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Has a signal inside end the command: it says what there is by then, does `at_last` what is
    left to do for the user, and exits."""
    try:
        yield
    except Ended as end:
        note(f"{end}; {what}")
        end_children()
        at_last()
        raise typer.Exit(end.code) from None


@contextmanager
def briefly(seconds: float) -> Iterator[None]:
    """Raises `Ended` inside at the next signal, at a signal that came before, or after `seconds`
    (SIGALRM)."""
    if _later:
        raise Ended(_later[0])
    _install(_end, _SIGNALS)
    signal.signal(signal.SIGALRM, _end)  # ignored or not
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _install(_note, _SIGNALS)


def end_children() -> None:
    """Kills all processes below this one except multiprocessing's tracker, which cleans up and ends
    after them."""
    for child in _below():
        with suppress(psutil.Error):  # it has ended
            if not any("resource_tracker" in part for part in child.cmdline()):
                child.kill()
