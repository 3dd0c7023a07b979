"""Matches in words: as entries of a suite, and as what a run keeps of them."""

from __future__ import annotations

from typing import Any

from cmx_bench.designs.search import Match


def entry(match: Match) -> dict[str, Any]:
    """What stands for a match under a suite's `models:`. A published member is built by timm, and
    can have weights; ConvMixers are the project's own."""
    named: dict[str, Any] = {"name": match.name, "label": match.design.label}
    if not match.changes and match.family != "convmixer":
        return named | {"family": match.family}
    return named | {match.family: match.design.arguments}


def tell(match: Match, target: str) -> dict[str, str | float]:
    """What a run keeps of a match to `target`, the word of the suite."""
    return {
        "target": target,
        "amounts": match.target.text,
        "residual": match.residual,
        "departure": departure(match),
        "nearest": match.nearest,
        "nearest_residual": match.nearest_residual,
    }


def departure(match: Match) -> str:
    """`resnet50: width 64 → 60, layers 3-4-6-3 → 3-4-7-3`, or that it is as published."""
    return f"{match.base}: {', '.join(match.changes) or 'as published'}"
