"""The conditions under which a block was timed, and the rule that discards blocks by them alone.

What is recorded of each block, as far as the system tells; what cannot be read is left out:

- `steal`: share of all cores' time that the hypervisor gave to others
- `foreign_load`: how many cores other processes kept busy, on average over the block
- `idle_cores`: how many cores nobody used, on average over the block: while one is idle, others
  need not take ours, and their load disturbs nobody
- `throttled`: seconds for which limits stopped the control group and those above it, summed: not
  only this process, but all that these groups hold
- `thermal_throttles`: times that a core was throttled for its heat
- `probe`: seconds of a small matrix product in the setting's threads, the slower of two, one
  before and one after the block; on CPUs only
- `core_speed`: the third fastest probe of the process over the block's, at most 1, which it is
  where nothing slowed the cores; reports put that of all processes of the setting in its place
- `gpu_sm_clock`: the GPU's clock at the end of the block, in Hz
- `gpu_clock_reasons`: what held that clock back before or after, as NVML's bitmask
- `gpu_foreign_processes`: processes that compute on the GPU beside this one
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

from cmx_bench.measures import Watched

# What the system says at one moment, and what that makes of the block between two moments.
Reading: TypeAlias = Mapping[str, float]
Covariates: TypeAlias = Mapping[str, float]

# A hundredth of the time stolen makes a block about a hundredth longer, half of the ± 2 % that one
# asks for. On up to ten cores a single jiffy of 10 ms in a block of 0.1 s is more.
MOST_STEAL = 0.01
# A neighbour on the other half of a core makes the probe 1.6 to 2.4 times as long, and probes that
# nobody disturbs agree within 2 %. Medians over passes between probes within 1.1 of the best
# agreed between processes to 2 to 4 %, over all passes to 15 to 25 % (two shared cores).
LEAST_CORE_SPEED = 1 / 1.1
# Counted in jiffies of 10 ms: over a block of 0.1 s it is a fifth of a core uncertain.
MOST_FOREIGN_LOAD = 0.5
# Somebody always uses half a core of a large host: that counts only where fewer cores are idle.
ENOUGH_IDLE_CORES = 1
# From nvml.h: hardware slowdown, thermal slowdown by software and by hardware, power brake. Not
# among them are idling, set clocks and the power cap: so runs a healthy GPU at full load.
HARMFUL_CLOCK_REASONS = 0x08 | 0x20 | 0x40 | 0x80
# With fewer undisturbed blocks, the least disturbed fill up: a median needs three.
FEWEST_KEPT = 3

# The rule: each reason to discard a block, in the words of the report, and when it holds.
REASONS: dict[str, Callable[[Covariates], bool]] = {
    "steal": lambda seen: seen.get("steal", 0) > MOST_STEAL,
    "foreign load": lambda seen: (
        seen.get("foreign_load", 0) > MOST_FOREIGN_LOAD
        and seen.get("idle_cores", 0) < ENOUGH_IDLE_CORES
    ),
    "throttling": lambda seen: seen.get("throttled", 0) > 0,
    "heat": lambda seen: seen.get("thermal_throttles", 0) > 0,
    "a slowed core": lambda seen: seen.get("core_speed", 1) < LEAST_CORE_SPEED,
    "a GPU held back": lambda seen: (
        int(seen.get("gpu_clock_reasons", 0)) & HARMFUL_CLOCK_REASONS != 0
    ),
    "foreign GPU processes": lambda seen: seen.get("gpu_foreign_processes", 0) > 0,
}


def reasons(covariates: Covariates) -> list[str]:
    """Why a block is to be discarded: by its conditions, never by what it measured."""
    return [reason for reason, holds in REASONS.items() if holds(covariates)]


def disturbed(covariates: Covariates) -> bool:
    """Whether there is a reason to discard a block."""
    return bool(reasons(covariates))


def kept(blocks: Sequence[Covariates]) -> list[bool]:
    """Which blocks count: the undisturbed, filled up with the least disturbed to `FEWEST_KEPT`.

    Those equally disturbed as the last that fills up count too: the first of them would be biased
    in time. On a GPU, where there is no core speed, all disturbed blocks are equal.
    """
    ranks = [(disturbed(block), -block.get("core_speed", 1)) for block in blocks]
    last = sorted(ranks)[min(FEWEST_KEPT, len(ranks)) - 1]
    return [rank <= last or not rank[0] for rank in ranks]


def judged(metric: str, samples: Sequence[float], blocks: Sequence[Covariates]) -> Watched:
    """The samples of a metric, one a block, split by `kept`; covariates that all blocks have.

    Beside them stand `disturbed`, the rule's judgement, and `discarded`, what followed: a process
    that had to keep disturbed blocks shows in the two.
    """
    counts = kept(blocks)
    names = [name for name in blocks[0] if all(name in block for block in blocks)]
    found = {name: [float(block[name]) for block in blocks] for name in names}
    found["disturbed"] = [float(disturbed(block)) for block in blocks]
    found["discarded"] = [float(not counted) for counted in counts]
    values = [sample for sample, counted in zip(samples, counts, strict=True) if counted]
    thrown = [sample for sample, counted in zip(samples, counts, strict=True) if not counted]
    return Watched({metric: values}, found, {metric: thrown} if thrown else {})


def judged_by(
    metric: str, samples: Sequence[float], seen: Mapping[str, Sequence[float]], bar: float
) -> Watched:
    """Blocks judged anew, by the `bar` that all processes of a setting set for the probe.

    Args:
        seen: what `judged` said of the same samples.
    """
    names = [name for name in seen if name not in ("disturbed", "discarded")]
    rows = zip(*(seen[name] for name in names), strict=True)
    blocks = [dict(zip(names, row, strict=True)) for row in rows]
    return judged(
        metric, samples, [one | {"core_speed": min(1.0, bar / one["probe"])} for one in blocks]
    )


def bar(probes: Sequence[float]) -> float | None:
    """A fast probe: one of twenty is faster, two at least, for these may be lucky or of a time at
    which the clock was higher than later; the fastest of fewer than three."""
    ordered = sorted(probes)
    if len(ordered) < 3:
        return next(iter(ordered), None)
    return ordered[max(2, len(ordered) // 20)]


def covariates(readings: Sequence[Reading]) -> list[Covariates]:
    """The conditions of each block, from the readings before, between and after the blocks.

    The best probes may come late, so that all blocks are judged anew by all probes.
    """
    best = bar([reading["probe"] for reading in readings if "probe" in reading]) or 0.0
    return [dict(_between(before, after, best)) for before, after in pairwise(readings)]


def _between(before: Reading, after: Reading, best: float) -> Iterator[tuple[str, float]]:
    both = before.keys() & after.keys()
    passed = {name: after[name] - before[name] for name in both}
    if "stolen_jiffies" in both:
        yield "steal", passed["stolen_jiffies"] / max(1.0, passed["jiffies"])
        foreign = passed["busy_jiffies"] / os.sysconf("SC_CLK_TCK") - passed["own_seconds"]
        yield "foreign_load", max(0.0, foreign / passed["clock"])
        yield "idle_cores", passed["idle_jiffies"] / os.sysconf("SC_CLK_TCK") / passed["clock"]
    for name in ("throttled", "thermal_throttles"):
        if name in both:
            yield name, passed[name]
    if "probe" in both:
        slower = max(before["probe"], after["probe"])
        yield "probe", slower
        yield "core_speed", min(1.0, best / slower)
    if "gpu_sm_clock" in after:  # before the first block the GPU was idle
        yield "gpu_sm_clock", after["gpu_sm_clock"]
    if "gpu_clock_reasons" in both:
        name = "gpu_clock_reasons"
        yield name, int(before[name]) | int(after[name])
    if "gpu_foreign_processes" in both:
        name = "gpu_foreign_processes"
        yield name, max(before[name], after[name])
