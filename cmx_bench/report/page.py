"""report.html: one file that needs no network and no script."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup

from cmx_bench.report import embedded
from cmx_bench.report.content import Content
from cmx_bench.report.headline import facts
from cmx_bench.report.plot import Plot
from cmx_bench.report.table import Picture, grouped, plain

if TYPE_CHECKING:
    from cmx_bench.report.figures import Drawing


def render(content: Content, drawings: Sequence[Drawing]) -> str:
    """The whole page; `drawings` are those of the content's plots."""
    return template("report.html.j2").render(
        title=plain(content.report.run.title),
        facts=facts(content.report),
        first=content.first,
        rest=content.rest,
        drawings=inlined(drawings),
        omitted=content.plots.omitted,
        data=Markup(embedded.pack(content.report)),
    )


def template(name: str) -> jinja2.Template:
    """A page's template; `parts.html.j2` has what pages share."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cmx_bench.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals["grouped"] = grouped
    environment.filters["data_url"] = _data_url
    return environment.get_template(name)


def _data_url(picture: Picture) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode()}"


def inlined(drawings: Sequence[Drawing]) -> list[tuple[Plot, Markup]]:
    """Figures as a page's template wants them: our own SVG, whose texts matplotlib has escaped."""
    if not drawings:
        return []
    from cmx_bench.report import figures  # matplotlib takes a while to import

    return [(one.plot, Markup(figures.inline(one))) for one in drawings]
