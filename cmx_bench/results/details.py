"""The parts of a record's details, and of a run's accuracy, that other code reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NotRequired, TypeAlias

from pydantic import ConfigDict, Field, GetPydanticSchema, WrapValidator, with_config
from typing_extensions import TypedDict

from cmx_bench.cell import Positive, Scalar
from cmx_bench.results.validation import STRICT, Amount, NotNegative, Number, Share

# Measures may tell more than is read here.
_OPEN = STRICT | ConfigDict(extra="allow")


@with_config(STRICT)
class Work(TypedDict):
    """One kind of work of a batch: `seconds` of each pass, bytes moved at least."""

    macs: Amount
    bytes: Amount
    seconds: Annotated[list[Amount], Field(min_length=1)]


@with_config(STRICT)
class Geometry(TypedDict):
    """The part of preprocessing that works on pixels; `fill` is the colour of a border."""

    image_size: Positive
    crop_pct: Amount
    crop_mode: str
    interpolation: str
    fill: NotRequired[list[Number] | None]


@with_config(STRICT)
class Preprocessing(TypedDict):
    """How images were prepared; `mean` and `std` are of channels between 0 and 1."""

    geometry: Geometry
    mean: list[Number]
    std: list[Amount]


@with_config(STRICT)
class Epoch(TypedDict):
    """One epoch of a learning curve."""

    number: Positive
    loss: Number
    lr: Amount
    seconds: Amount
    images: NotNegative
    top1: Share
    data_seconds: NotRequired[Amount]


@with_config(STRICT)
class Best(TypedDict):
    """The epoch of the highest top-1."""

    epoch: Positive
    top1: Share


@with_config(STRICT)
class Training(TypedDict):
    """How a model was trained before it was evaluated; `opened` says what its images are."""

    recipe: str
    seed: NotNegative
    epochs: Positive
    images: Positive
    processes: Positive
    at_once: Positive
    seconds: Amount
    images_per_second: Amount
    best: Best
    opened: NotRequired[str]
    curve: Annotated[list[Epoch], Field(min_length=1)]


@with_config(STRICT)
class Origin(TypedDict):
    """What a user's own model was built from: see `models.importing`."""

    file: str
    sha256: str


@with_config(STRICT)
class Resampled(TypedDict):
    """The image size of the original weights of a resampled model, if it is known."""

    image_size: Positive | None


@with_config(STRICT)
class Given(TypedDict):
    """The user's word on an operator: see `cell.Model`; `origin` is what the function is from."""

    by: str
    macs: NotNegative
    origin: NotRequired[Origin]


@with_config(STRICT)
class CalibrationTold(TypedDict):
    """The images that an int8 model was calibrated on: see `measures.calibration`."""

    source: str
    images: Positive
    sha256: str


@with_config(STRICT)
class Quantised(TypedDict):
    """An int8 model: the digest of its weights and ranges, how many of its convolutions and matrix
    products compute in int8, how many there are, and the bits of their weights."""

    sha256: str
    products: Annotated[list[NotNegative], Field(min_length=2, max_length=2)]
    weight_bits: Positive


@with_config(STRICT)
class RuntimeTold(TypedDict):
    """How a runtime ran a model: see `measures.ready`."""

    version: str
    difference: Amount
    tolerance: Amount
    options: dict[str, Scalar]
    calibration: NotRequired[CalibrationTold]
    quantised: NotRequired[Quantised]


@with_config(_OPEN)
class Details(TypedDict, total=False):
    """`correct` counts the images that are right by metric, of so many `images`; `opened` says
    what was found where they lie. `precisions` are the shares of MACs in other numbers than the
    setting's."""

    dataset: str
    opened: str
    images: Positive
    correct: dict[str, NotNegative]
    unlabelled: NotNegative
    broken: dict[str, str]
    preprocessing: Preprocessing
    weights: str | None
    weights_sha256: str
    resampled: Resampled
    training: Training
    work: dict[str, Work]
    origin: Origin
    given: dict[str, Given]
    runtime: RuntimeTold
    graph_breaks: NotNegative
    precisions: dict[str, Share]


@with_config(_OPEN)
class Recipe(TypedDict, total=False):
    """What a report says of the recipe of a training."""

    name: str
    about: str | None


@with_config(_OPEN)
class Accuracy(TypedDict, total=False):
    """What a suite asked of its evaluations, with the `path` of the images."""

    dataset: str
    real_labels: str | None
    valid_labels: str | None
    train: Recipe | None
    seeds: Annotated[list[NotNegative], Field(min_length=1)]
    path: str | None


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
    Mapping[str, Any], GetPydanticSchema(lambda _, of: of(Details)), WrapValidator(_as_written)
]
AnyAccuracy: TypeAlias = Annotated[
    Mapping[str, Any], GetPydanticSchema(lambda _, of: of(Accuracy)), WrapValidator(_as_written)
]
