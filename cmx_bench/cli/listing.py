"""What there is: models, measures, metrics, data sets, suites, recipes, each with a line on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from cmx_bench import datasets
from cmx_bench.measures import MEASURES
from cmx_bench.metrics import METRICS
from cmx_bench.spec import recipe, shipped, suite
from cmx_bench.units import tally

# A name, and what there is to say of it.
Row: TypeAlias = tuple[str, str]


def models() -> Iterator[Row]:
    """timm's architectures; the only list that loads torch."""
    import timm

    for name in timm.list_models():
        yield name, ""


def measures() -> Iterator[Row]:
    for name, info in MEASURES.items():
        metrics_of = ", ".join(m.name for m in METRICS.values() if m.measure == name)
        yield name, f"{info.about}: {metrics_of}"


def metrics() -> Iterator[Row]:
    """Each metric with its unit, direction and definition."""
    for metric in METRICS.values():
        about = f"{metric.direction}, {metric.kind}: {metric.definition}"
        yield metric.name, f"{metric.unit or '1':<9} {about}"


def data_sets() -> Iterator[Row]:
    """Each data set that has a name of its own, and the forms of all other names."""
    yield from ((name, info.about) for name, info in datasets.SOURCES.items())
    yield "|".join(f"{prefix}/…" for prefix in datasets.PREFIXES), datasets.FACTORY.about
    yield "any other name", f"{datasets.FOLDER.about}: --data NAME=PATH"


def suites() -> Iterator[Row]:
    for name, path in shipped.suites().items():
        loaded = suite.load(str(path)).suite
        yield name, f"{loaded.title or loaded.name} ({tally(loaded.size, 'model')})"


def recipes() -> Iterator[Row]:
    for name, path in shipped.recipes().items():
        yield name, recipe.load(path).about or name


LISTS: dict[str, Callable[[], Iterator[Row]]] = {
    "models": models,
    "measures": measures,
    "metrics": metrics,
    "datasets": data_sets,
    "suites": suites,
    "recipes": recipes,
}
