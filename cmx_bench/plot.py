"""The figures of the report as functions: `plot.front(df)` draws one and gives its axes.

Each takes the samples of one run and, as `ax`, axes to draw on. Within `style("slides")` new ones
have the fonts and the size of slides, otherwise what matplotlib is set to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cmx_bench.present.drawing.theme import style
from cmx_bench.report.figures import FIGURES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["style"]
_FUNCTIONS = {figure.function.__name__: figure.function for figure in FIGURES}


def __getattr__(name: str) -> Callable[..., Axes]:
    if name not in _FUNCTIONS:
        raise AttributeError(f"no figure {name!r}; there are {', '.join(_FUNCTIONS)}")
    return _FUNCTIONS[name]


def __dir__() -> list[str]:
    return sorted({*_FUNCTIONS, "style"})
