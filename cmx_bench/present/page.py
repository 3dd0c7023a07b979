"""Pages: one file that needs no network, and can be read without its script."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources

import jinja2
from markupsafe import Markup

from cmx_bench import units
from cmx_bench.present import drawing
from cmx_bench.present.content import SIGNS, Entry, Finding, Findings, Table, group_columns
from cmx_bench.present.drawing import Drawing, Plot


@cache
def template(room: str, name: str) -> jinja2.Template:
    """A page's template out of a room's `templates`; `parts.html.j2` has what all pages share."""
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(room), jinja2.PackageLoader(__package__)]),
        autoescape=True,
        # Whatever a text comes from, no page has its control characters.
        finalize=lambda value: units.plain(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals.update(
        anchored=anchor,
        counted=units.tally,
        grouped=group_columns,
        policy=_policy,
        signs=SIGNS,
        style=file(__package__, "report.css"),
    )
    environment.filters.update(
        base64=lambda data: base64.b64encode(data).decode(), read_back=units.read_back,
        unbroken=units.keep_together,
    )  # fmt: skip
    return environment.get_template(name)


@cache
def file(room: str, name: str) -> Markup:
    """One of the files in a room's `templates`, as it stands in a page."""
    return Markup((resources.files(room) / "templates" / name).read_text(encoding="utf-8"))


# What pages draw with, in the order in which they run them.
_LIBRARIES = ("d3.min.js", "plot.umd.min.js")


def scripts(draws: bool) -> list[str]:
    """What the script of a page may call: it sorts and filters rows.

    Args:
        draws: with the libraries that draw, whose `licenses` the page has to carry.
    """
    names = [*(f"vendor/{name}" for name in _LIBRARIES), "controls.js"] if draws else []
    return [file(__package__, name) for name in (*names, "tables.js")]


def licenses() -> Markup:
    """Those of the libraries that draw."""
    return file(__package__, "vendor/LICENSES.txt")


def _policy(style: str, *scripts: str) -> Markup:
    """What a browser lets a page do: show its own style and images, run its own scripts or none."""
    allowed = f"default-src 'none'; style-src {_hash(style)}; img-src data:"
    return Markup(
        " ".join([f"{allowed}; script-src", *map(_hash, scripts)]) if scripts else allowed
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


_LONGEST_SLUG = 60


def anchor(table: Table) -> Iterator[tuple[str, tuple[Entry, ...]]]:
    """Each row with the id that links lead to: made of what names it, not of where it stands."""
    times: Counter[str] = Counter()
    for row in table.rows:
        name = ".".join((table.key, *map(_slug, _names(table, row))))
        times[name] += 1
        yield (f"{name}.{times[name]}" if times[name] > 1 else name), row


def _slug(name: str) -> str:
    """A name in letters that need no escape in an address, others by their numbers."""
    letters = re.sub(r"[^\W_a-z0-9]", lambda other: f"u{ord(other[0]):x}", name.lower())
    return re.sub("[^a-z0-9]+", "-", letters).strip("-")[:_LONGEST_SLUG]


def _names(table: Table, row: Sequence[Entry]) -> tuple[str, ...]:
    return tuple(entry.text for entry in row[: table.naming])


def link(findings: Findings, tables: Sequence[Table]) -> list[tuple[Finding, str, str]]:
    """Each finding with the id of the row that proves it, or of the table where no single row has
    its names, and the table's name."""
    ids: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for table in tables:
        for row_id, row in anchor(table):
            ids.setdefault((table.key, _names(table, row)), []).append(row_id)
    names = {table.key: table.title.partition(" · ")[0] for table in tables}
    return [
        (
            finding,
            rows[0] if len(rows := ids.get((finding.table, finding.row), [])) == 1
            else finding.table,
            names.get(finding.table, ""),
        )
        for finding in findings.items
    ]  # fmt: skip


_SITE = re.compile(
    r"""
    <nav[ ]class="site"[ ]aria-label="Site">\n
    <a[ ]href="((?:\.\./)+)index\.html">All[ ]runs</a>\n
    <a[ ]href="\1index\.html\?suite=[\w.~%/-]*\#runs">Runs[ ]of[ ]this[ ]suite</a>\n
    (?:<a[ ]href="([a-z.]+)"[ ]download>\2</a>\n)*
    </nav>\n""",
    re.ASCII | re.VERBOSE,
)


def without_site(page: str) -> str:
    """The page's text as it is where it is no part of a site: without links that say nothing of
    what it shows."""
    return _SITE.sub("", page, count=1)


def inline(drawings: Sequence[Drawing]) -> list[tuple[Plot, Markup]]:
    """Figures as a page's template wants them: our own SVG, whose texts matplotlib has escaped. It
    has attributes in place of styles, which a page's policy does not let pass."""
    inline = (_SHEET.sub("", drawing.inline(drawn)) for drawn in drawings)
    svgs = (_STYLE.sub(lambda style: _attributes(style[1]), svg) for svg in inline)
    return [(drawn.plot, Markup(svg)) for drawn, svg in zip(drawings, svgs, strict=True)]


_SHEET = re.compile("<style.*?</style>", re.DOTALL)
_STYLE = re.compile(' style="([^"]*)"')


@cache
def _attributes(style: str) -> str:
    """The same as attributes; without the font's name, which the page decides."""
    parts = (part.partition(":") for part in style.split(";") if part.strip())
    pairs = ((name.strip(), value.strip()) for name, _, value in parts)
    return "".join(f' {name}="{value}"' for name, value in pairs if name != "font-family")
