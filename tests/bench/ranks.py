"""Whether the true reason is told, and no process is left, when a rank of a training has trouble.

Run by hand: ``python tests/bench/ranks.py [TIMES]``. Two processes train a small model over gloo;
one of them, or the process that leads both, is killed, stopped, sleeps or raises an error at its
start, in the middle or in its last step, `TIMES` times each (10). A line a kind: how many records
name the true reason, how late at most (30 s are allowed), and after how many seconds more no
process was left that holds the log (5 s). A training whose leader is killed goes on once from its
last checkpoint: if that is of a later step than the trouble's, it ends well, and no reason is due.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import torch.distributed
from torch import Tensor, nn

from cmx_bench.accuracy import Evaluation
from cmx_bench.cell import Cell, Model, Setting
from cmx_bench.execute import learners
from cmx_bench.spec.recipe import Optimizer, Recipe
from cmx_bench.spec.suite import Accuracy, SharedPreprocessing
from cmx_bench.worker.job import EvaluationJob

SIDE_BY_SIDE = 10  # most of the time they wait
SETTING = Setting("cpu", "cpu", "fp32", "nchw", "none", 64, 16)
STEPS = 6  # of two epochs, of three batches of a fourth of the digits
RECIPE = Recipe(name="short", epochs=2, batch_size=470, optimizer=Optimizer(lr=0.01))
HALVES = SharedPreprocessing(crop_pct=1.0, mean=[0.5] * 3, std=[0.5] * 3)
WHEN = {"start": 0, "middle": STEPS // 2, "end": STEPS}
MARK = "moment"  # a file that the trouble makes


def _raise() -> None:
    raise ValueError("in trouble")


TROUBLES: dict[str, tuple[Callable[[], object], str]] = {
    "killed": (lambda: signal.raise_signal(signal.SIGKILL), "rank {} of 2 was killed by SIGKILL"),
    "stopped": (lambda: signal.raise_signal(signal.SIGSTOP), "rank {} of 2 was stopped"),
    "sleeping": (lambda: time.sleep(3600), "rank {} of 2 hung"),
    "raising": (_raise, "ValueError: in trouble"),
    "leader killed": (
        lambda: os.kill(os.getppid(), signal.SIGKILL), "the process was killed by SIGKILL"
    ),
}  # fmt: skip


class Troubled(nn.Module):
    """A linear classifier with trouble in one rank, at the forward pass with that number."""

    def __init__(self, how: str, when: int, who: int, folder: str) -> None:
        super().__init__()
        self.head = nn.Linear(3 * 16 * 16, 10)
        self._how, self._when, self._who, self._folder = how, when, who, folder
        self._passes = -1
        self._trouble_if_due()

    def _trouble_if_due(self) -> None:
        self._passes += 1
        mine = torch.distributed.is_initialized() and torch.distributed.get_rank() == self._who
        if mine and self._passes == self._when:
            Path(self._folder, MARK).touch()
            TROUBLES[self._how][0]()

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, 10) of images x: (N, 3, 16, 16)."""
        if self.training:
            self._trouble_if_due()
        logits: Tensor = self.head(x.flatten(1))
        return logits


def holders(log: Path) -> Iterator[int]:
    """The processes that print to a log."""
    for output in Path("/proc").glob("[0-9]*/fd/1"):
        with suppress(OSError):
            if output.readlink() == log:
                yield int(output.parts[2])


def once(how: str, when: str, who: int) -> tuple[str, float, float]:
    """The record's reason, its seconds since the trouble, and those until no process was left."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root).resolve()
        args = {"how": how, "when": WHEN[when], "who": who, "folder": root}
        model = Model("m", "m", "other", "python", "ranks:Troubled", args, num_classes=10)
        asked = Accuracy(dataset="digits", preprocessing="shared", shared=HALVES, train=RECIPE)
        task = Evaluation(asked, folder, processes=2)
        cell = Cell(model, "accuracy", SETTING)
        job = EvaluationJob([cell], 0, 0, task, folder)
        *_, (_, outcome) = learners.outcomes(job, 600.0)
        end = time.time()
        while list(holders(folder / "log.txt")) and time.time() - end < 60:
            time.sleep(0.05)
        gone = time.time() - end
        for pid in holders(folder / "log.txt"):
            os.kill(pid, signal.SIGKILL)
        begun = (folder / MARK).stat().st_mtime if (folder / MARK).exists() else end
        return outcome.reason, end - begun, gone


def main() -> int:
    times = int(sys.argv[1]) if sys.argv[1:] else 10
    kinds = [(how, when, who) for how in TROUBLES for when in WHEN for who in (0, 1)]
    right = True
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for how, when, who in kinds:
            runs = list(pool.map(once, *zip(*[(how, when, who)] * times, strict=True)))
            reasons, late, left = zip(*runs, strict=True)
            ends_well = (how, when) == ("leader killed", "end")
            expected = TROUBLES[how][1].format(who)
            others = [r for r in reasons if (r != "" if ends_well else expected not in r)]
            rightly = times - len(others)
            in_time = max(left) < 5 and (ends_well or max(late) < 30)
            right = right and rightly == times and in_time
            print(f"{how:13} {when:6} by rank {who}: {rightly} of {times} "
                  f"{'went on and ended' if ends_well else 'named'}, after "
                  f"{max(late):.1f} s at most; none left after {max(left):.1f} s",
                  *set(others),
                  sep="  ", flush=True)  # fmt: skip
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
