"""report.html: one file that needs no network, and can be read without its script."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup

from cmx_bench.present.content import Entry, Picture, Table, grouped
from cmx_bench.present.plot import Plot
from cmx_bench.report import headline
from cmx_bench.report.content import Content
from cmx_bench.report.findings import Finding, Findings
from cmx_bench.report.findings.wording import unbroken
from cmx_bench.report.verify import embedded
from cmx_bench.units import plain

if TYPE_CHECKING:
    from cmx_bench.present.drawing import Drawing


def render(content: Content, drawings: Sequence[Drawing]) -> str:
    """The whole page; `drawings` are those of the content's plots."""
    report = content.report
    return template("report.html.j2").render(
        title=plain(report.run.title),
        status=headline.status(report),
        findings=linked(content.findings, (*content.first, *content.rest)),
        note=content.findings.note,
        warnings=headline.warnings(report),
        origins=headline.origins(report),
        first=content.first,
        rest=content.rest,
        drawings=inlined(drawings),
        omitted=content.plots.omitted,
        data=Markup(embedded.pack(report)),
    )


def linked(found: Findings, tables: Sequence[Table]) -> list[tuple[Finding, str, str]]:
    """Each finding with the id of the row or the table that proves it, and the table's name."""
    ids = {id for table in tables for id, _ in _anchored(table)}
    names = {table.key: table.title.partition(" · ")[0] for table in tables}
    return [
        (
            one,
            row if (row := _anchor(one.table, one.row)) in ids else one.table,
            names.get(one.table, ""),
        )
        for one in found.items
    ]


@cache
def template(name: str) -> jinja2.Template:
    """A page's template; `parts.html.j2` has what pages share."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cmx_bench.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals.update(
        anchored=_anchored,
        grouped=grouped,
        policy=_policy,
        style=_file("report.css"),
        script=_file("report.js"),
    )
    environment.filters.update(data_url=_data_url, unbroken=unbroken)
    return environment.get_template(name)


@cache
def _file(name: str) -> Markup:
    """One of our own files, as it stands in a page."""
    text = (resources.files("cmx_bench.report") / "templates" / name).read_text(encoding="utf-8")
    return Markup(text)


def _policy(style: str, script: str) -> Markup:
    """What a browser lets a page do: show its own style and images, run its own script or none."""
    allowed = f"default-src 'none'; style-src {_hash(style)}; img-src data:"
    return Markup(f"{allowed}; script-src {_hash(script)}" if script else allowed)


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _anchored(table: Table) -> Iterator[tuple[str, tuple[Entry, ...]]]:
    """Each row with the id that links lead to: made of what names it, not of where it stands."""
    seen: Counter[str] = Counter()
    for row in table.rows:
        name = _anchor(table.key, [entry.text for entry in row[: table.naming]])
        seen[name] += 1
        yield (f"{name}.{seen[name]}" if seen[name] > 1 else name), row


def _anchor(table: str, names: Iterable[str]) -> str:
    return ".".join((table, *map(_slug, names)))


_LONGEST_SLUG = 60


def _slug(text: str) -> str:
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")[:_LONGEST_SLUG]


def _data_url(picture: Picture) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode()}"


def inlined(drawings: Sequence[Drawing]) -> list[tuple[Plot, Markup]]:
    """Figures as a page's template wants them: our own SVG, whose texts matplotlib has escaped."""
    if not drawings:
        return []
    from cmx_bench.present import drawing  # matplotlib takes a while to import

    return [(one.plot, Markup(_styleless(drawing.inline(one)))) for one in drawings]


_SHEET = re.compile("<style.*?</style>", re.DOTALL)
_STYLE = re.compile(' style="([^"]*)"')


def _styleless(svg: str) -> str:
    """`svg` with attributes in place of styles, which a page's policy does not let pass."""
    return _STYLE.sub(lambda style: _attributes(style[1]), _SHEET.sub("", svg))


_FONT = re.compile(r"(?:(?P<weight>\d+|bold) )?(?P<size>[\d.]+px) .*")


@cache
def _attributes(style: str) -> str:
    """The same as attributes; without the font's name, which the page decides."""
    pairs = (part.partition(":")[::2] for part in style.split(";") if part.strip())
    found = {name.strip(): value.strip() for name, value in pairs}
    found.pop("font-family", None)
    if (font := _FONT.fullmatch(found.pop("font", ""))) is not None:  # as matplotlib 3.9 writes it
        found |= {f"font-{name}": value for name, value in font.groupdict().items() if value}
    return "".join(f' {name}="{value}"' for name, value in found.items())
