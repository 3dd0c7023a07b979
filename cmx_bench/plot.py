"""The figures of the report as functions: `plot.front(df)` draws one and gives its axes.

Each takes the samples of one run, as `cmx_bench.load` gives them, but for `confusion`, which takes
what `cmx_bench.predictions` gives; and these too:

    ax: axes to draw on; without them it makes a figure of pyplot, as large and with such fonts as
        matplotlib is set to, or as `style` says.
    setting: the key of the setting to show, where there are several and a figure shows one.

It raises ValueError where it is not clear what is to be shown, or there is nothing. Within `with
style("slides"):` new figures have the size and the fonts of slides; `style` takes colours too.
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
