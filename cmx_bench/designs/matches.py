"""Matches as text: a table, CSV, and entries for a suite's `models:`."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import yaml

from cmx_bench import units
from cmx_bench.designs.search import Match

Format: TypeAlias = Callable[[Sequence[Match], int], str]

_COLUMNS = ("target", "family", "name", "params", "residual", "macs", "changes", "nearest")


def entry(match: Match) -> dict[str, Any]:
    """What stands for a match under a suite's `models:`. A published member is built by timm, and
    can have weights; ConvMixers are the project's own."""
    named: dict[str, Any] = {"name": match.name, "label": match.design.label}
    if not match.changes and match.family != "convmixer":
        return named | {"family": match.family}
    return named | {match.family: match.design.arguments}


def told(match: Match, target: str) -> dict[str, str | float]:
    """What a run keeps of a match to `target`, the word of the suite."""
    return {
        "target": target,
        "amounts": match.target.text,
        "residual": match.residual,
        "departure": _departure(match),
        "nearest": match.nearest,
        "nearest_residual": match.nearest_residual,
    }


def as_table(matches: Sequence[Match], width: int) -> str:
    """One row a match in at most `width` columns, for people."""
    import rich.box
    import rich.console
    import rich.table
    from rich.text import Text

    target = matches[0].target
    drawn = rich.table.Table(box=rich.box.SIMPLE_HEAVY, padding=(0, 1), pad_edge=False)
    for heading in ("Model", "Parameters", "MACs", "Residual", "Changed", "Nearest published"):
        number = heading in ("Parameters", "MACs", "Residual")
        drawn.add_column(
            Text(heading), justify="right" if number else "left", overflow="fold", no_wrap=number
        )
    for match in matches:
        nearest = f"{match.nearest} ({units.signed_percent(match.nearest_residual)})"
        cells = (match.name, units.exact(match.params), units.scaled(match.macs, "", 4),
                 _residuals(match), _departure(match), nearest)  # fmt: skip
        drawn.add_row(*map(Text, cells))
    console = rich.console.Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        sizes = f"{target.classes} classes, images of {target.image_size} px"
        if cut := matches[0].patch_size:
            sizes += f", all with patches of {cut} px where the family has patches"
        console.print(Text(f"{target.text}; {sizes}"))
        console.print(drawn)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def as_csv(matches: Sequence[Match], width: int) -> str:
    """One row a match, unrounded; a residual is a share, and two targets are joined by a plus."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for match in matches:
        target = "+".join(map(str, match.target.amounts.values()))
        writer.writerow((target, match.family, match.name, match.params, match.residual,
                         match.macs, _departure(match), match.nearest))  # fmt: skip
    return out.getvalue()


def as_yaml(matches: Sequence[Match], width: int) -> str:
    """Entries to paste under `models:`, each with a comment that says what it is."""
    lines = []
    for match in matches:
        text = yaml.safe_dump(
            entry(match), default_flow_style=True, sort_keys=False, width=float("inf")
        )
        off = units.signed_percent(match.residual)
        costs = f"{match.params:,} parameters, {match.macs:,} MACs, {off}"
        lines += [f"  # {costs}; {_departure(match)}", f"  - {text.strip()}"]
    return "\n".join(lines) + "\n"


def _residuals(match: Match) -> str:
    """`-0.17 %`; of two targets both, parameters first."""
    return ", ".join(map(units.signed_percent, match.residuals.values()))


def _departure(match: Match) -> str:
    """`resnet50: width 64 → 60, layers 3-4-6-3 → 3-4-7-3`, or that it is as published."""
    return f"{match.base}: {', '.join(match.changes) or 'as published'}"


FORMATS: dict[str, Format] = {"table": as_table, "csv": as_csv, "yaml": as_yaml}
