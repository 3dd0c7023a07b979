"""The load of other programs on a machine just before a run, and its description in words."""

from __future__ import annotations

from dataclasses import dataclass

from cmx_bench import units
from cmx_bench.cell import Positive
from cmx_bench.results.validation import STRICT, Amount

# A tenth of what two threads need; less than that is counted in jiffies and may be nobody's.
_MOST_TAKEN = 0.2
_MOST_STEAL = 0.01


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What was seen in so many `seconds`: how many of all `cores` other processes kept `busy` on
    average, and the share of all time that the hypervisor gave to others, `steal`; `usable` are
    the cores that this process may run on."""

    __pydantic_config__ = STRICT

    seconds: Amount
    cores: Positive
    usable: Positive
    busy: Amount
    steal: Amount

    @property
    def disturbs(self) -> bool:
        """Whether others leave fewer cores than the run may use."""
        return self.steal > _MOST_STEAL or self.cores - self.busy < self.usable - _MOST_TAKEN

    def __str__(self) -> str:
        """In words, with what to do: "other processes keep 1.3 of 2 cores busy: …"."""
        busy = f"other processes keep {self.busy:.1f} of {units.tally(self.cores, 'core')} busy"
        if self.steal > _MOST_STEAL:
            busy += f", and the hypervisor gives {units.percent(self.steal)} of the time to others"
        if not self.disturbs:
            return f"the machine is calm: {busy}"
        return f"{busy}: values will be disturbed; stop them, or wait"
