"""report.html: one file that needs no network and no script."""

from __future__ import annotations

from collections.abc import Sequence

import jinja2
from markupsafe import Markup

from cmx_bench.report import figures
from cmx_bench.report.content import Content
from cmx_bench.report.figures import Drawing
from cmx_bench.report.headline import facts
from cmx_bench.report.tables import grouped, plain


def render(content: Content, drawings: Sequence[Drawing]) -> str:
    """The whole page; `drawings` are those of the content's plots."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cmx_bench.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals["grouped"] = grouped
    return environment.get_template("report.html.j2").render(
        title=plain(content.report.run.title),
        facts=facts(content.report),
        first=content.first,
        rest=content.rest,
        # Our own SVG, whose texts matplotlib has escaped.
        drawings=[(one.plot, Markup(figures.inline(one))) for one in drawings],
        omitted=content.plots.omitted,
    )
