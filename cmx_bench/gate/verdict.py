"""What a gate found, as frozen data: one comparison a model, setting and metric, and the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from cmx_bench.metrics import Metric

# INCOMPARABLE and NEW are not judged: counted and shown, neither passed nor failed.
State: TypeAlias = Literal["PASS", "FAIL", "INCONCLUSIVE", "INCOMPARABLE", "NEW"]
# The states of what is judged, the worst first.
JUDGED: tuple[Literal["FAIL", "INCONCLUSIVE", "PASS"], ...] = ("FAIL", "INCONCLUSIVE", "PASS")
# In every output comparisons stand in this order.
ORDER: tuple[State, ...] = (*JUDGED, "NEW", "INCOMPARABLE")
# Of a whole verdict; the last where no comparison is judged.
Outcome: TypeAlias = Literal["PASS", "FAIL", "INCONCLUSIVE", "NOTHING COMPARED"]
# What follows from an undecided verdict: it fails, it passes, or it passes with a warning.
Policy: TypeAlias = Literal["fail", "pass", "warn"]
POLICIES: tuple[Policy, ...] = get_args(Policy)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of one model in one setting, on both sides.

    `base` and `head` are typical values in base units, and where it is judged their ratio is what
    `slowdown` says: how much worse head is, as a share. 0.05 takes 5 % more time (or memory),
    negative is a gain; `low` and `high` are its 95 % interval. `detectable` is the smallest
    slowdown that so many samples of this spread catch with 95 % power. `n` counts the fresh
    processes of each side that it rests on; for top-1 of given weights it counts images. `left_out`
    counts the processes that ended well and do not count. `more` processes, and so many seconds,
    would decide an inconclusive one; None where nothing reasonable would. `budget` is the
    `--budget` of `ab` that would have decided it, in seconds. `slowdowns` are those of `each` pair
    in their order, or of each process of head against base's typical value.
    """

    model: str
    label: str
    setting: str
    metric: Metric
    against: str
    state: State
    base: float | None = None
    head: float | None = None
    slowdown: float | None = None
    low: float | None = None
    high: float | None = None
    detectable: float | None = None
    n: tuple[int, int] = (0, 0)
    left_out: tuple[int, int] = (0, 0)
    more: int | None = None
    seconds_more: float | None = None
    budget: float | None = None
    reason: str = ""
    slowdowns: tuple[float, ...] = ()
    each: Literal["pair", "process"] = "process"


@dataclass(frozen=True, slots=True)
class Package:
    """The files of a package that models ran on either side, or the compiled libraries.

    `differing` names those that are not the same by content. `versions` and `places` are of base
    and head: None where nobody says a version, or where nothing of it ran.
    """

    name: str
    files: int
    differing: tuple[str, ...]
    versions: tuple[str | None, str | None]
    places: tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class Contrast:
    """What of the code that models ran differs between head and the side `against`.

    `models` are the labels of those that were to run, `same` those of which both sides ran the
    same: the same files, versions and `facts` of the environment, which maps those that differ to
    base's and head's. `unknown` are the models of which a side did not tell what ran, by its name.
    `idle` are the checkouts of which no model ran a file, `not_run` the files that differ and were
    imported, and of which no model ran anything. `files` are the paths of what ran, by side, label
    and name.
    """

    against: str
    models: tuple[str, ...]
    same: tuple[str, ...]
    packages: tuple[Package, ...] = ()
    facts: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    unknown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    idle: tuple[str, ...] = ()
    not_run: tuple[str, ...] = ()
    files: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to compare: all models ran the same code on both sides."""
        return bool(self.models) and self.models == self.same


@dataclass(frozen=True, slots=True)
class Verdict:
    """A gate's comparisons and what follows from them.

    `title` says what was compared. `sides` describes each side (its name, then what it is), `notes`
    are what a reader must know besides the comparisons, `contrasts` what code was compared, of each
    side that head is held against. `command` is what made it. `policy` says
    what an undecided verdict does.
    """

    title: str
    threshold: float
    sides: tuple[tuple[str, str], ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...] = ()
    command: str = ""
    policy: Policy = "fail"
    contrasts: tuple[Contrast, ...] = ()

    @property
    def state(self) -> Outcome:
        """FAIL where any comparison failed, then INCONCLUSIVE, then PASS; NOTHING COMPARED where
        none was judged, or none made because all sides run the same code. Exact metrics alone do
        not pass for timings that could not be compared."""
        counts = self.counts
        worst: Outcome = next((state for state in JUDGED if counts[state]), "NOTHING COMPARED")
        return "INCONCLUSIVE" if worst == "PASS" and self.untimed else worst

    @property
    def is_bare(self) -> bool:
        """Whether the whole is in a state that no comparison is in."""
        return self.state not in [comparison.state for comparison in self.comparisons]

    @property
    def let_through(self) -> bool:
        """Whether it is undecided, and its policy has it pass."""
        return self.state == "INCONCLUSIVE" and self.policy != "fail"

    @property
    def untimed(self) -> tuple[Comparison, ...]:
        """The sampled comparisons that could not be made, where none of them was judged."""
        sampled = [each for each in self.comparisons
                   if not each.metric.exact and each.metric.better != "none"]  # fmt: skip
        if any(each.state in JUDGED for each in sampled):
            return ()
        return tuple(each for each in sampled if each.state == "INCOMPARABLE")

    @property
    def counts(self) -> Counter[State]:
        return Counter(each.state for each in self.comparisons)

    @property
    def in_order(self) -> list[Comparison]:
        """The comparisons, failures first. Within a state sampled metrics come before exact
        ones."""
        return sorted(
            self.comparisons, key=lambda each: (ORDER.index(each.state), each.metric.exact)
        )

    @property
    def several_sides(self) -> bool:
        """Whether head is compared with more than one side: a baseline and an anchor."""
        return len({each.against for each in self.comparisons}) > 1

    @property
    def several_settings(self) -> bool:
        """Whether any metric of any model is compared in more than one setting."""
        settings = {(each.model, each.metric.name, each.setting) for each in self.comparisons}
        return len(settings) > len({key[:2] for key in settings})
