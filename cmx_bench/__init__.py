"""A comparative benchmark suite for vision backbones around ConvMixer.

From Python, `load` gives what a run measured as a DataFrame with a row for each sample. `summary`
gives the values that the report shows, and `plot` has a function for each figure of the report.
`predictions` gives the class that each model predicts for each image, `per_class` the accuracy of
each class.
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cmx_bench import plot
    from cmx_bench.results.classwise import per_class, predictions
    from cmx_bench.results.loading import load
    from cmx_bench.results.summary import summary

__all__ = ["__version__", "load", "per_class", "plot", "predictions", "summary"]
__version__ = "0.1.0"

# Imported when they are asked for (PEP 562): the command line and the processes that measure pay
# for neither pandas nor seaborn.
_LAZY = {
    "load": "cmx_bench.results.loading:load",
    "per_class": "cmx_bench.results.classwise:per_class",
    "plot": "cmx_bench.plot",
    "predictions": "cmx_bench.results.classwise:predictions",
    "summary": "cmx_bench.results.summary:summary",
}


if not TYPE_CHECKING:  # to a type checker a module with this has every name

    def __getattr__(name: str) -> Any:
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return resolve_name(_LAZY[name])


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
