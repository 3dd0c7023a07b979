"""The figures of the report as functions: `plot.front(df)` draws one and gives its axes.

Each takes the samples of one run, as `cmx_bench.load` gives them. Only `confusion` takes what
`cmx_bench.predictions` gives. All take these too:

    ax: axes to draw on; without them it makes a figure of pyplot, as large and with such fonts as
        matplotlib is set to, or as `style` says.
    setting: the key of the setting to show, where there are several and a figure shows one.
    others: what the docstring of the figure names, as `samples(df, metric="latency_p50")`.

A function raises ValueError if it is not clear what to show, or if there is nothing. Within `with
style("slides"):` new figures have the size and the fonts of slides; `style` takes colours too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cmx_bench.present import drawing
from cmx_bench.present.drawing.theme import style
from cmx_bench.report.figures import FIGURES, Figure
from cmx_bench.report.figures.selection import select

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

__all__ = ["style"]


def _function(figure: Figure) -> Callable[..., Axes]:
    if figure.function is not None:
        return figure.function

    def draw(
        df: DataFrame, ax: Axes | None = None, *, setting: str | None = None, **options: Any
    ) -> Axes:
        return drawing.on(figure.plot(select(df, figure.choose, setting), **options), ax)

    draw.__name__, draw.__doc__ = figure.name, figure.plot.__doc__
    return draw


_FUNCTIONS = {figure.name: _function(figure) for figure in FIGURES}


def __getattr__(name: str) -> Callable[..., Axes]:
    if name not in _FUNCTIONS:
        raise AttributeError(f"no figure {name!r}; there are {', '.join(_FUNCTIONS)}")
    return _FUNCTIONS[name]


def __dir__() -> list[str]:
    return sorted({*_FUNCTIONS, "style"})
