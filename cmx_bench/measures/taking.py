"""Takes the samples of a measure, and refuses those that no record can hold.

A mistake of a new measure fails its cells, in a line that says what was expected.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from cmx_bench import measures
from cmx_bench.cell import Model, Setting
from cmx_bench.errors import SamplesError, cut, nearest
from cmx_bench.measures import MEASURES, Watched
from cmx_bench.metrics import METRICS, first_of

_MOST_SHOWN = 60


def take(measure: str, model: Model, setting: Setting) -> Watched:
    """What the measure of that name gives.

    Raises:
        SamplesError: it is not what a record holds.
        BaseException: whatever the measure raises.
    """
    taken: object = measures.function(measure)(model, setting)
    watched = taken if isinstance(taken, Watched) else Watched(taken)  # type: ignore[arg-type]
    try:
        for part in ("values", "discarded", "covariates"):
            _refuse(measure, part, getattr(watched, part))
        if MEASURES[measure].precise and first_of(measure) not in watched.values:
            raise SamplesError(f"no samples of {first_of(measure)}, its first metric")
        json.dumps(watched.details, allow_nan=False)
    except SamplesError as error:
        raise SamplesError(f"the measure {measure} gave {error}") from None
    except (TypeError, ValueError) as error:
        raise SamplesError(
            f"the measure {measure} gave details that are no plain data: {error}"
        ) from None
    return watched


def _refuse(measure: str, part: str, samples: object) -> None:
    """Refuses what is no list of finite numbers by metric or, of covariates, by condition."""
    if not isinstance(samples, Mapping):
        raise SamplesError(f"{_show(samples)}; expected lists of numbers by the metric's name")
    if part == "values" and not samples:
        raise SamplesError("no samples")
    own = [metric.name for metric in METRICS.values() if metric.measure == measure]
    for name, numbers in samples.items():
        if part != "covariates" and name not in own:
            raise SamplesError(f"{_show(name)}, which is none of its metrics"
                               f"{nearest(str(name), own)} (known: {', '.join(own)})")  # fmt: skip
        if not isinstance(numbers, list) or (part == "values" and not numbers):
            raise SamplesError(f"{_show(numbers)} for {name}; expected a list of numbers")
        for number in numbers:
            is_number = isinstance(number, int | float) and not isinstance(number, bool)
            if not is_number or not math.isfinite(number):
                raise SamplesError(f"{_show(number)} for {name}; expected finite numbers")


def _show(value: object) -> str:
    """A value as Python writes it and, where that does not say it, its type."""
    text = cut(" ".join(repr(value).split()), _MOST_SHOWN)
    plain = isinstance(value, str | int | float | list | dict | None)
    return text if plain else f"{text} ({type(value).__name__})"
