"""The member of a family that costs as much as wanted, by the family's own rules.

Candidates depart from a published member in depth and width, and where the family says so in one
more respect (`Design.rows`). Of those within `CLOSE` of the target, or where there is none of those
near enough to be accepted, the least changed is taken: each respect in which it differs counts
`CHANGE`, and the logarithm of the ratio; a width that hardware has to pad counts `CHANGE` too. All
counts are closed forms, and nothing is drawn by lot.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

from cmx_bench import units
from cmx_bench.cell import Family
from cmx_bench.designs import FAMILIES
from cmx_bench.designs.anatomy import Axis, Design, Row
from cmx_bench.errors import MatchError

Quantity: TypeAlias = Literal["params", "macs"]

CLOSE = 0.002
WITHIN = 0.01
CHANGE = 0.1
_WIDTHS, _ALIGNED = ("dim", "mlp_dim", "width"), 8  # tensor cores multiply such without padding


@dataclass(frozen=True, slots=True)
class Target:
    """How many parameters, MACs for one image, or both, and of what head and images."""

    amounts: Mapping[Quantity, int]
    classes: int = 1000
    image_size: int = 224

    @property
    def text(self) -> str:
        """`21,110,248 parameters and 20,676,851,712 MACs`."""
        words = {"params": "parameters", "macs": "MACs"}
        return " and ".join(f"{amount:,} {words[what]}" for what, amount in self.amounts.items())


@dataclass(frozen=True, slots=True)
class Match:
    """A member that costs about as much as `target`.

    `base` is the published member that it departs from, `nearest` the one that costs about as
    much. A residual is a share of the target.
    With a `patch_size` all are counted with patches of that size, published ones too.
    """

    target: Target
    family: Family
    base: str
    design: Design
    nearest: str
    nearest_residual: float
    patch_size: int | None = None

    @property
    def name(self) -> str:
        return self.design.name if self.changes else self.base

    @property
    def changes(self) -> list[str]:
        """`width 64 → 60` and the like; empty for a published member."""
        ours, theirs = self.design.axes, FAMILIES[self.family][self.base].axes
        changed = _list_changes(ours, theirs)
        return [f"{what} {theirs[what].text} → {ours[what].text}" for what in changed]

    @property
    def residuals(self) -> dict[Quantity, float]:
        return _residuals(self.design, self.target)

    @property
    def residual(self) -> float:
        """The larger of the two residuals."""
        return _residual(self.design, self.target)

    @property
    def params(self) -> int:
        return count("params", self.design, self.target)

    @property
    def macs(self) -> int:
        return count("macs", self.design, self.target)


def find(
    family: Family, target: Target, within: float = WITHIN, patch_size: int | None = None
) -> Match:
    """The member of `family` that matches `target`; always the same one.

    Args:
        within: the largest residual that is accepted.
        patch_size: of all members, for images that are smaller than those of published ones.

    Raises:
        MatchError: none is so near; the text names the nearest.
    """
    published = FAMILIES[family]
    cut = {name: _cut(base, patch_size) for name, base in published.items()}
    bases = {name: base for name, base in cut.items() if base.patch_size <= target.image_size}
    if not bases:
        raise MatchError(
            f"{family}: images of {target.image_size} px are smaller than its patches; "
            f"give a patch size"
        )
    every = [each for name, base in bases.items() for each in _candidates(name, base, target)]
    best = _best(every, within)
    nearest = min(bases, key=lambda name: abs(_residual(bases[name], target)))
    match = Match(target, family, best.base, best.design, nearest,
                  _residual(bases[nearest], target), patch_size)  # fmt: skip
    if abs(match.residual) > within:
        raise MatchError(
            f"{family}: no member is within {units.percent(within)} of {target.text}; the nearest, "
            f"{match.name}, has {match.params:,} parameters and {match.macs:,} MACs; "
            f"allow more with `within`, or leave {family} out"
        )
    return match


def _cut(base: Design, patch_size: int | None) -> Design:
    """The same with patches of another side; a design without patches gives only itself."""
    if patch_size is None or "patch_size" not in base.arguments:
        return base
    return replace(base, patch_size=patch_size)  # type: ignore[type-var]


def count(quantity: Quantity, design: Design, target: Target) -> int:
    """Parameters or MACs of a member with the target's classes and image size."""
    counted = {"params": design.params, "macs": design.macs}[quantity]
    return counted(target.classes, target.image_size)


class _Candidate(NamedTuple):
    base: str
    design: Design
    residual: float
    cost: float


def _best(candidates: Sequence[_Candidate], within: float) -> _Candidate:
    for most in (min(CLOSE, within), within):
        if close := [candidate for candidate in candidates if abs(candidate.residual) <= most]:
            return min(close, key=lambda each: (each.cost, abs(each.residual), each.design.name))
    return min(candidates, key=lambda each: (abs(each.residual), each.cost, each.design.name))


def _candidates(name: str, base: Design, target: Target) -> Iterator[_Candidate]:
    yield _Candidate(name, base, _residual(base, target), _cost(base, base))
    for row in base.rows():
        for step in _beside(row, target):
            design = row.make(step)
            yield _Candidate(name, design, _residual(design, target), _cost(base, design))


def _beside(row: Row, target: Target) -> Sequence[int]:
    """The steps of a row on either side of the target, or around its two."""
    places = [
        bisect_left(row.steps, amount, key=lambda step: count(quantity, row.make(step), target))
        for quantity, amount in target.amounts.items()
    ]
    return row.steps[max(0, min(places) - 1) : max(places) + 1]


def _residuals(design: Design, target: Target) -> dict[Quantity, float]:
    return {
        quantity: count(quantity, design, target) / amount - 1
        for quantity, amount in target.amounts.items()
    }


def _residual(design: Design, target: Target) -> float:
    return max(_residuals(design, target).values(), key=abs)


def _cost(base: Design, design: Design) -> float:
    """To nine decimals: mathematical libraries differ in the last bits of a logarithm."""
    ours, theirs = design.axes, base.axes
    ratios = [ours[what].size / theirs[what].size for what in _list_changes(ours, theirs)]
    widths = map(design.arguments.get, _WIDTHS)
    padded = any(isinstance(width, int) and width % _ALIGNED for width in widths)
    return round(CHANGE * padded + sum(CHANGE + abs(math.log(ratio)) for ratio in ratios), 9)


def _list_changes(ours: Mapping[str, Axis], theirs: Mapping[str, Axis]) -> list[str]:
    return [what for what in ours if ours[what] != theirs[what]]
