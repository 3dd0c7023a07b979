"""What there is: models, measures, metrics, data sets, suites, recipes, each with a line on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import TypeAlias

from cmx_bench import datasets
from cmx_bench.measures import MEASURES
from cmx_bench.metrics import METRICS
from cmx_bench.spec import recipe, shipped, suite
from cmx_bench.units import tally

# A name, and what there is to say of it.
Row: TypeAlias = tuple[str, str]


def models(pattern: str) -> Iterator[Row]:
    """timm's architectures whose names match; the only list that loads torch."""
    import timm

    for name in timm.list_models(pattern):
        yield name, ""


def measures(pattern: str) -> Iterator[Row]:
    """Each measure with what it gives."""
    for name, info in MEASURES.items():
        if fnmatchcase(name, pattern):
            metrics_of = ", ".join(m.name for m in METRICS.values() if m.measure == name)
            yield name, f"{info.about}: {metrics_of}"


def metrics(pattern: str) -> Iterator[Row]:
    """Each metric with its unit, direction and definition."""
    for metric in METRICS.values():
        if fnmatchcase(metric.name, pattern):
            unit = metric.unit or "1"
            about = f"{metric.direction}, {metric.kind}: {metric.definition}"
            yield metric.name, f"{unit:<9} {about}"


def data_sets(pattern: str) -> Iterator[Row]:
    """Each data set that has a name of its own, and the forms of all other names."""
    known = {name: info.about for name, info in datasets.SOURCES.items()}
    forms = {"|".join(f"{prefix}/…" for prefix in datasets.PREFIXES): datasets.FACTORY.about,
             "any other name": f"{datasets.FOLDER.about}: --data NAME=PATH"}  # fmt: skip
    for name, about in (known | forms).items():
        if fnmatchcase(name, pattern):
            yield name, about


def suites(pattern: str) -> Iterator[Row]:
    """Each suite that comes with the package."""
    for name, path in shipped.suites().items():
        if fnmatchcase(name, pattern):
            loaded = suite.load(str(path)).suite
            yield name, f"{loaded.title or loaded.name} ({tally(loaded.size, 'model')})"


def recipes(pattern: str) -> Iterator[Row]:
    """Each recipe that comes with the package."""
    for name, path in shipped.recipes().items():
        if fnmatchcase(name, pattern):
            yield name, recipe.load(path).about or name


LISTS: dict[str, Callable[[str], Iterator[Row]]] = {
    "models": models,
    "measures": measures,
    "metrics": metrics,
    "datasets": data_sets,
    "suites": suites,
    "recipes": recipes,
}
