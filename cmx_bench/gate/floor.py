"""The results of a machine's self-test, kept for later gates: how small a change it can detect."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from cmx_bench.errors import CmxError, PlanError, RecordsError
from cmx_bench.results import environment, runfolder, stats
from cmx_bench.results.validation import STRICT, DamageError, NotNegative, decode
from cmx_bench.spec import disk

SCHEMA = 2  # 1 had no bias, and was measured with other pairs

# What makes two machines one for this purpose; a new torch does not change how noisy it is.
_MACHINE = ("device_name", "device_uuid", "cores")


@dataclass(frozen=True, slots=True)
class Bias:
    """By how much something is slower that should not be: the mean log-ratio of pairs in which
    nothing changed, and half the width of its 99 % interval."""

    __pydantic_config__ = STRICT

    mean: float
    half_width: float


def bias_of(log_ratios: Sequence[float]) -> Bias:
    """What pairs say, in which nothing should be slower."""
    change = stats.compare_pairs(log_ratios)
    return Bias(change.value, change.bound(0.995) - change.value)


def is_certain(bias: Bias) -> bool:
    """Whether its interval leaves zero out, as chance has it in one of a hundred tests."""
    return abs(bias.mean) > bias.half_width


def tell(bias: Bias) -> str:
    """`+0.12 ± 0.40 %`"""
    mean = f"{100 * bias.mean:+.2f}".replace("-", "−")
    return f"{mean} ± {100 * bias.half_width:.2f} %"


@dataclass(frozen=True, slots=True)
class Floor:
    """A self-test's findings. Rates are shares of gates resampled from `pairs` pairs of each kind.

    `detectable` maps seconds of measuring a model to the smallest slowdown, as a share, that a gate
    with this threshold catches with 95 % power at 1 % false alarms at most; None where even the
    largest tried is not. `spread` is the standard deviation of a pair's log-ratio, by model;
    `bias` those of `head` and of the process that was begun `first`.
    """

    __pydantic_config__ = STRICT

    machine: Mapping[str, Any]
    suite: str
    created: str
    threshold: float
    pairs: NotNegative
    seconds_a_pair: float
    spread: Mapping[str, float]
    bias: Mapping[str, Bias]
    injected: Mapping[str, float]
    false_alarms: float
    misses: float
    inconclusive: float
    detectable: Mapping[str, float | None]
    schema: int = SCHEMA

    def least(self, seconds: float = math.inf) -> float | None:
        """The smallest slowdown that this machine detects in `seconds` of measuring a model.

        None where it shows none, or where no time so short was tried.
        """
        tried = ((float(budget), least) for budget, least in self.detectable.items())
        return min(
            (least for budget, least in tried if least is not None and budget <= seconds),
            default=None,
        )


def note(
    threshold: float, machine: Mapping[str, Any], any_threshold: bool, seconds: float = math.inf
) -> str:
    """What a reader must know of the machine's self-test, or that there was none.

    Args:
        seconds: how long a model is measured at the most.

    Raises:
        PlanError: the threshold, a share, is below what the machine can show, and not any will do.
    """
    remedy = "`selftest` measures how small a change it can show"
    try:
        floor = read(machine)
    except RecordsError as error:  # of another version of this package, most likely
        return f"{error}; {remedy}"
    if floor is None:
        return f"no self-test of this machine: {remedy}"
    least = floor.least(seconds)
    within = "" if math.isinf(seconds) else f" in {seconds:.0f} s of measuring a model"
    if least is None:
        shows = f"the self-test of {floor.created} found no change that this machine shows{within}"
    else:
        shows = (
            f"the self-test of {floor.created} found that this machine shows a slowdown of "
            f"{100 * least:g} % at the least{within}"
        )
    if (least is None or threshold < least) and not any_threshold:
        given = f"--threshold {100 * threshold:g}%"
        more = "" if math.isinf(seconds) else ", a longer --budget"
        raise PlanError(f"{given}: {shows}; give a larger one{more}, or add --any-threshold")
    alarms = f"{100 * floor.false_alarms:.2g} % false alarms at {100 * floor.threshold:g} %"
    return f"{shows}; {alarms}"


def path(machine: Mapping[str, Any]) -> Path:
    """Where the self-test of a machine lies: in `~/.local/state/cmx-bench` on Linux.

    Raises:
        CmxError: the user has no home.
    """
    name = environment.digest([machine.get(field) for field in _MACHINE])
    return disk.folder_of_user("state") / f"selftest-{name}.json"


def write(floor: Floor, file: Path) -> None:
    """Keeps a self-test in a file.

    Raises:
        RecordsError: it cannot be written.
    """
    runfolder.write_files(file.parent, {file.name: disk.json_of(asdict(floor), indent=1)})


def read(machine: Mapping[str, Any]) -> Floor | None:
    """The self-test of a machine; None where it had none.

    Raises:
        RecordsError: the file cannot be read.
    """
    try:
        file = path(machine)
    except CmxError:  # nowhere to keep one
        return None
    if not file.exists():
        return None
    try:
        return decode(TypeAdapter(Floor), disk.text_of(file, RecordsError), SCHEMA)
    except DamageError as error:
        raise error.at(f"{file}: is no self-test that can be read") from error
