"""What `match` prints: a table, CSV, or entries for a suite's `models:`."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from cmx_bench import units
from cmx_bench.designs import matches
from cmx_bench.designs.search import Match

Format: TypeAlias = Callable[[Sequence[Match], int, bool], str]

_COLUMNS = ("target", "family", "name", "params", "residual", "macs", "changes", "nearest")


def as_table(designs: Sequence[Match], width: int, colours: bool) -> str:
    """One row a match in at most `width` columns, for people, with or without colours."""
    from cmx_bench.present import terminal  # rich is slow to import
    from cmx_bench.present.content import Column

    numbers = {"params": "Parameters", "macs": "MACs", "residual": "Residual"}
    words = {"changes": "Changed", "nearest": "Nearest published"}
    columns = [
        Column("name", "Model"),
        *(Column(key, heading, "right") for key, heading in numbers.items()),
        *(Column(key, heading) for key, heading in words.items()),
    ]
    rows = [
        (match.name, units.exact(match.params), units.scale(match.macs, "", 4),
         ", ".join(map(units.signed_percent, match.residuals.values())), matches.departure(match),
         f"{match.nearest} ({units.signed_percent(match.nearest_residual)})")
        for match in designs
    ]  # fmt: skip
    return terminal.text(
        [_describe(designs[0]), terminal.Grid(columns, rows, numbers)], width, colours
    )


def _describe(match: Match) -> str:
    target, cut = match.target, match.patch_size
    patches = f", all with patches of {cut} px where the family has patches" if cut else ""
    sizes = f"{units.tally(target.classes, 'class', 'classes')}, images of {target.image_size} px"
    return f"{target.text}; {sizes}{patches}"


def as_csv(designs: Sequence[Match], width: int, colours: bool) -> str:
    """One row a match, unrounded; a residual is a share, and two targets are joined by a plus."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for match in designs:
        target = "+".join(map(str, match.target.amounts.values()))
        writer.writerow((target, match.family, match.name, match.params, match.residual,
                         match.macs, matches.departure(match), match.nearest))  # fmt: skip
    return out.getvalue()


def as_yaml(designs: Sequence[Match], width: int, colours: bool) -> str:
    """Entries to paste under `models:`, each with a comment that says what it is."""
    import yaml

    lines = []
    for match in designs:
        text = yaml.safe_dump(
            matches.entry(match), default_flow_style=True, sort_keys=False, width=float("inf")
        )
        off = units.signed_percent(match.residual)
        costs = f"{match.params:,} parameters, {match.macs:,} MACs, {off}"
        lines += [f"  # {costs}; {matches.departure(match)}", f"  - {text.strip()}"]
    return "\n".join(lines) + "\n"


FORMATS: Mapping[str, Format] = {"table": as_table, "csv": as_csv, "yaml": as_yaml}
