"""The parts of a record's details, and of a run's accuracy, that other code reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NotRequired, TypeAlias

from pydantic import ConfigDict, Field, GetPydanticSchema, WrapValidator, with_config
from typing_extensions import TypedDict

from cmx_bench.cell import Positive, Scalar
from cmx_bench.results.validation import STRICT, Amount, NotNegative, Number, Share


def _keys(name: str, config: ConfigDict = STRICT, /, total: bool = True, **types: Any) -> Any:
    """A mapping that has these keys with values of these types."""
    return with_config(config)(TypedDict(name, types, total=total))  # type: ignore[operator]


# One kind of work of a batch: `seconds` of each pass, bytes moved at least.
_WORK = _keys(
    "Work", macs=Amount, bytes=Amount, seconds=Annotated[list[Amount], Field(min_length=1)]
)  # fmt: skip
# The part of preprocessing that works on pixels; `fill` is the colour of a border.
_GEOMETRY = _keys(
    "Geometry", image_size=Positive, crop_pct=Amount, crop_mode=str, interpolation=str,
    fill=NotRequired[list[Number] | None],
)  # fmt: skip
# How images were prepared; `mean` and `std` are of channels between 0 and 1.
_PREPROCESSING = _keys("Preprocessing", geometry=_GEOMETRY, mean=list[Number], std=list[Amount])
# One epoch of a learning curve, and the one of the highest top-1.
_EPOCH = _keys(
    "Epoch", number=Positive, loss=Number, lr=Amount, seconds=Amount, images=NotNegative,
    top1=Share, data_seconds=NotRequired[Amount],
)  # fmt: skip
_BEST = _keys("Best", epoch=Positive, top1=Share)
# How a model was trained before it was evaluated; `opened` says what its images are.
TRAINING = _keys(
    "Training", recipe=str, seed=NotNegative, epochs=Positive, images=Positive, processes=Positive,
    at_once=Positive, seconds=Amount, images_per_second=Amount, best=_BEST,
    opened=NotRequired[str],
    curve=Annotated[list[_EPOCH], Field(min_length=1)],  # type: ignore[valid-type]
)  # fmt: skip
# What a user's own model was built from: see `models.importing`.
_ORIGIN = _keys("Origin", file=str, sha256=str)
# The image size of the original weights of a resampled model, if it is known.
_RESAMPLED = _keys("Resampled", image_size=Positive | None)
# The user's word on an operator: see `cell.Model`; `origin` is what the function is from.
_GIVEN = _keys("Given", by=str, macs=NotNegative, origin=NotRequired[_ORIGIN])
# The images that an int8 model was calibrated on: see `measures.calibration`.
_CALIBRATION = _keys("Calibration", source=str, images=Positive, sha256=str)
# An int8 model: the digest of its weights and ranges, how many of its convolutions and matrix
# products compute in int8, how many there are, and the bits of their weights.
_QUANTISED = _keys(
    "Quantised", sha256=str, weight_bits=Positive,
    products=Annotated[list[NotNegative], Field(min_length=2, max_length=2)],
)  # fmt: skip
# How a runtime ran a model: see `measures.ready`.
_RUNTIME = _keys(
    "Runtime", version=str, difference=Amount, tolerance=Amount, options=dict[str, Scalar],
    calibration=NotRequired[_CALIBRATION], quantised=NotRequired[_QUANTISED],
)  # fmt: skip

_OPEN = STRICT | ConfigDict(extra="allow")  # measures may tell more than is read here
# `correct` counts the images that are right by metric, of so many `images`; `opened` says what was
# found where they lie. `precisions` are the shares of MACs in other numbers than the setting's.
_DETAILS = _keys(
    "Details", _OPEN, total=False, dataset=str, opened=str, images=Positive,
    correct=dict[str, NotNegative], unlabelled=NotNegative, broken=dict[str, str],
    preprocessing=_PREPROCESSING, weights=str | None, weights_sha256=str, resampled=_RESAMPLED,
    training=TRAINING, origin=_ORIGIN, runtime=_RUNTIME, graph_breaks=NotNegative,
    precisions=dict[str, Share],
    work=dict[str, _WORK], given=dict[str, _GIVEN],  # type: ignore[valid-type]
)  # fmt: skip
# What a suite asked of its evaluations, with the `path` of the images, and what a report says of
# the recipe of a training.
_RECIPE = _keys("Recipe", _OPEN, total=False, name=str, about=str | None)
_ACCURACY = _keys(
    "Accuracy", _OPEN, total=False, dataset=str, real_labels=str | None, valid_labels=str | None,
    train=_RECIPE | None, seeds=Annotated[list[NotNegative], Field(min_length=1)],
    path=str | None,
)  # fmt: skip


def _as_written(told: Mapping[str, Any], check: Callable[[object], object]) -> Mapping[str, Any]:
    """What was checked, its keys in their order: a page that is rendered again has the same bytes.

    Numbers that JSON does not have are refused where nobody knows the key too.
    """
    check(told)
    if told:
        json.dumps(told, allow_nan=False)
    return told


# What is known of a machine: names, versions, switches.
Facts: TypeAlias = Annotated[
    dict[str, Any], GetPydanticSchema(lambda _, of: of(dict[str, Scalar | None]))
]
# Mappings, as their makers know them; read as the schema beside them says.
AnyDetails: TypeAlias = Annotated[
    Mapping[str, Any], GetPydanticSchema(lambda _, of: of(_DETAILS)), WrapValidator(_as_written)
]
AnyAccuracy: TypeAlias = Annotated[
    Mapping[str, Any], GetPydanticSchema(lambda _, of: of(_ACCURACY)), WrapValidator(_as_written)
]
