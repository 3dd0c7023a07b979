"""Finds what disturbed a block: the cause, and whether the block was slower for it.

A block is disturbed where both hold: its conditions name a cause, and it took longer than blocks
without one. A cause alone moves no number: an idle neighbour, a clock that rises, a probe that hits
an interrupt. Nor is a block discarded for its time alone: without a cause, slow blocks are the
model's own.

What is recorded of each block, as far as the system tells; what cannot be read is left out:

- `steal`: share of all cores' time that the hypervisor gave to others
- `foreign_load`: how many cores other processes kept busy, on average over the block
- `idle_cores`: how many cores nobody used, on average over the block: while one is idle, others
  need not take ours
- `waiting`: for what share of the block threads of this process were ready and had no core, summed
  over the threads
- `throttled`: seconds for which limits stopped the control group and those above it, summed: not
  only this process, but all that these groups hold
- `thermal_throttles`: times that a core was throttled for its heat
- `probe`: seconds of a matrix product in the setting's threads, the slower of two, one before and
  one after the block
- `core_speed`: a fast probe over the block's, at most 1, which it is where nothing slowed the
  cores: a fast one of the process, or in reports of all processes of the setting (on a GPU: of
  the cell)
- `launching`: the share of a block on a GPU that the host needs to launch it; near 1 the host is
  what was measured
- `gpu_warm_up`: seconds of passes before the first block, until the GPU grew no warmer
- `gpu_sm_clock`: the GPU's clock in Hz, by a kernel that spins for a known number of its cycles
  right behind the block; on a GPU `probe` is the time of that kernel
- `gpu_clock_reasons`: what held that clock back before or after, as NVML's bitmask
- `gpu_power_capped`, `gpu_heat_capped`: seconds for which the power limit, or heat, held it down
- `gpu_temperature`: degrees Celsius at the end of the block
- `gpu_foreign_processes`: processes that computed on the GPU beside this one, as NVML sampled them
- `slowdown`: the calm rate over the block's, where there is a calm rate: the median of the blocks
  without a cause, of the process or, where it has too few, of the cell
"""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import compress, pairwise
from typing import TypeAlias

from cmx_bench.measures import Watched

# What the system says at one moment, and what that makes of the block between two moments.
Reading: TypeAlias = Mapping[str, float]
Covariates: TypeAlias = Mapping[str, float]

# Causes. A single jiffy of 10 ms in a block of 0.1 s on up to ten cores is more than this.
MOST_STEAL = 0.01
# A neighbour on the other half of a core makes the probe 1.6 to 2.4 times as long. Probes that
# nobody disturbs agree within 2 %.
LEAST_CORE_SPEED = 1 / 1.05
# Counted in jiffies of 10 ms: over a block of 0.1 s it is a fifth of a core uncertain.
MOST_FOREIGN_LOAD = 0.3
# Somebody always uses a part of a large host: that counts only where fewer cores are idle.
ENOUGH_IDLE_CORES = 1
# Who waits for less is slowed by less than `MOST_SLOWDOWN`. On a quiet machine threads wait for up
# to 0.04 of a block, where the kernel's own threads want a core, and beside neighbours for a tenth.
MOST_WAITING = 0.05
# From nvml.h: thermal slowdown by software and by hardware, power brake. Not among them are idling,
# set clocks and the power cap: so runs a healthy GPU at full load. Nor is the hardware's slowdown
# (0x08): NVML reports it when a clock merely changes too, and its real causes by the last two.
HARMFUL_CLOCK_REASONS = 0x20 | 0x40 | 0x80
# Beyond this share of launching the host is what was measured; it discards nothing, for the next
# block would be no different.
LAUNCH_BOUND = 0.9
# A block that is slower than this beside a cause is disturbed. Blocks that nobody disturbs differ
# by 2 to 4 % within a process: with 1.05 twice as many were flagged that were none the slower.
MOST_SLOWDOWN = 1.07
# A median needs three: so many blocks make a calm rate, and with fewer undisturbed blocks the
# least disturbed fill up.
FEWEST_KEPT = 3

# Each cause, in the words of the report, and when it is there.
REASONS: dict[str, Callable[[Covariates], bool]] = {
    "steal": lambda facts: facts.get("steal", 0) > MOST_STEAL,
    "foreign load": lambda facts: (
        facts.get("foreign_load", 0) > MOST_FOREIGN_LOAD
        and facts.get("idle_cores", 0) < ENOUGH_IDLE_CORES
    ),
    "waiting for a core": lambda facts: facts.get("waiting", 0) > MOST_WAITING,
    "throttling": lambda facts: facts.get("throttled", 0) > 0,
    "heat": lambda facts: facts.get("thermal_throttles", 0) > 0,
    "a slowed core": lambda facts: (
        facts.get("core_speed", 1) < LEAST_CORE_SPEED and "gpu_sm_clock" not in facts
    ),
    "a GPU held back": lambda facts: (
        int(facts.get("gpu_clock_reasons", 0)) & HARMFUL_CLOCK_REASONS != 0
        or facts.get("gpu_heat_capped", 0) > 0
        or (facts.get("core_speed", 1) < LEAST_CORE_SPEED and "gpu_sm_clock" in facts)
    ),
    "foreign GPU processes": lambda facts: facts.get("gpu_foreign_processes", 0) > 0,
}


def reasons(covariates: Covariates) -> list[str]:
    """What could have slowed a block, by its conditions."""
    return [reason for reason, holds in REASONS.items() if holds(covariates)]


def is_disturbed(covariates: Covariates) -> bool:
    """Whether a block has a cause to be slow, and is: or nobody knows, for lack of calm blocks."""
    return covariates.get("slowdown", math.inf) > MOST_SLOWDOWN and bool(reasons(covariates))


def calm(rates: Sequence[float], blocks: Sequence[Covariates]) -> list[float]:
    """The rates of the blocks that have no cause to be slow."""
    return [rate for rate, block in zip(rates, blocks, strict=True) if not reasons(block)]


def calm_rate(rates: Sequence[float]) -> float | None:
    """What calm blocks agree on; None where they are too few."""
    return statistics.median(rates) if len(rates) >= FEWEST_KEPT else None


def compare(rates: Sequence[float], blocks: Sequence[Covariates]) -> list[Covariates]:
    """The conditions of blocks, with the `slowdown` of each where there is a calm rate.

    Args:
        rates: images a second of each block, or anything else that falls where it is slowed.
    """
    return add_slowdowns(rates, blocks, calm_rate(calm(rates, blocks)))


def add_slowdowns(
    rates: Sequence[float], blocks: Sequence[Covariates], reference: float | None
) -> list[Covariates]:
    """The conditions of blocks, with the `slowdown` of each against a calm rate, where it is
    known."""
    if reference is None:
        return list(blocks)
    return [
        {**block, "slowdown": reference / rate} for rate, block in zip(rates, blocks, strict=True)
    ]


def choose(blocks: Sequence[Covariates]) -> list[bool]:
    """Which blocks count: the undisturbed, filled up with the least disturbed to `FEWEST_KEPT`.

    Those equally disturbed as the last that fills up count too: the first of them would be biased
    in time.
    """
    ranks = [(is_disturbed(block), _severity(block)) for block in blocks]
    last = sorted(ranks)[min(FEWEST_KEPT, len(ranks)) - 1]
    return [rank <= last or not rank[0] for rank in ranks]


def _severity(block: Covariates) -> float:
    """By how much a block was slowed; without a calm rate, as its conditions let expect."""
    expected = (1 + block.get("waiting", 0)) / block.get("core_speed", 1)
    return block.get("slowdown", expected)


def judge(samples: Mapping[str, Sequence[float]], blocks: Sequence[Covariates]) -> Watched:
    """The samples of each metric, one a block, split by `choose`; covariates that all blocks have.

    Beside them stand `disturbed`, the rule's judgement, and `discarded`, what followed: a process
    that had to keep disturbed blocks shows in the two.

    Args:
        samples: by metric, one value a block.
        blocks: as `compare` gives them.
    """
    counts = choose(blocks)
    names = [name for name in blocks[0] if all(name in block for block in blocks)]
    conditions = {name: [float(block[name]) for block in blocks] for name in names}
    conditions["disturbed"] = [float(is_disturbed(block)) for block in blocks]
    conditions["discarded"] = [float(not counted) for counted in counts]
    values = {name: list(compress(taken, counts)) for name, taken in samples.items()}
    thrown = [not counted for counted in counts]
    discarded = {name: list(compress(taken, thrown)) for name, taken in samples.items()}
    return Watched(values, conditions, discarded if any(thrown) else {})


def read_back(conditions: Mapping[str, Sequence[float]], fast: float | None) -> list[Covariates]:
    """The conditions of each block as `judge` recorded them, before they are compared.

    Args:
        fast: the fast probe of all processes of the setting, which core speeds are relative to.
    """
    names = [name for name in conditions if name not in ("disturbed", "discarded", "slowdown")]
    rows = zip(*(conditions[name] for name in names), strict=True)
    blocks: list[Covariates] = [dict(zip(names, row, strict=True)) for row in rows]
    if fast is None:
        return blocks
    return [{**block, "core_speed": min(1.0, fast / block["probe"])} for block in blocks]


def fast_probe(probes: Sequence[float]) -> float | None:
    """A fast probe: one of four is faster. The fastest may be of a time at which the clock was
    higher than before and after, and would condemn all others."""
    return sorted(probes)[len(probes) // 4] if probes else None


def covariates(readings: Sequence[Reading]) -> list[Covariates]:
    """The conditions of each block, from the readings before, between and after the blocks.

    Fast probes may come late, so that all blocks are held against all probes.
    """
    fast = fast_probe([reading["probe"] for reading in readings if "probe" in reading]) or 0.0
    return [dict(_between(before, after, fast)) for before, after in pairwise(readings)]


def _between(before: Reading, after: Reading, fast: float) -> Iterator[tuple[str, float]]:
    both = before.keys() & after.keys()
    passed = {name: after[name] - before[name] for name in both}
    if "stolen_jiffies" in both:
        yield "steal", passed["stolen_jiffies"] / max(1.0, passed["jiffies"])
        foreign = passed["busy_jiffies"] / os.sysconf("SC_CLK_TCK") - passed["own_seconds"]
        yield "foreign_load", max(0.0, foreign / passed["clock"])
        yield "idle_cores", passed["idle_jiffies"] / os.sysconf("SC_CLK_TCK") / passed["clock"]
    if "waited" in both:
        yield "waiting", passed["waited"] / passed["clock"]
    for name in ("throttled", "thermal_throttles"):
        if name in both:
            yield name, passed[name]
    if "probe" in both:
        slower = max(before["probe"], after["probe"])
        yield "probe", slower
        yield "core_speed", min(1.0, fast / slower)
    for name in ("gpu_power_capped", "gpu_heat_capped"):
        if name in both:
            yield name, passed[name]
    for name in ("gpu_sm_clock", "gpu_temperature", "gpu_foreign_processes"):
        if name in after:
            yield name, after[name]
    if "gpu_clock_reasons" in both:
        name = "gpu_clock_reasons"
        yield name, int(before[name]) | int(after[name])
