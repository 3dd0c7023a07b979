"""A suite: which models, which settings, which measures; read from YAML, strictly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cmx_bench import units
from cmx_bench.cell import Setting
from cmx_bench.errors import SuiteError, nearest, quote
from cmx_bench.measures import MEASURES
from cmx_bench.metrics import METRICS
from cmx_bench.spec import claims, command, document, recipe, shipped, sweeps, trust
from cmx_bench.spec.document import Document, Location
from cmx_bench.spec.model_entries import Entry, MatchEntry, ModelEntry
from cmx_bench.spec.operators import Macs
from cmx_bench.spec.recipe import Recipe
from cmx_bench.spec.schema import (
    POINT,
    File,
    ImageSize,
    Label,
    Name,
    Positive,
    Seconds,
    Share,
    Some,
    Strict,
    kind,
    text_as,
    validate,
    written_as,
)
from cmx_bench.spec.settings import USUAL, CpuSetting, CudaSetting, Settings

# A run may not be endless.
MOST_CELLS = 100_000
# Where a suite names none; one that says on which images, has accuracy too.
USUAL_MEASURES = ["params", "macs", "planned_memory", "throughput", "memory"]
# Which there are is checked with the nearest word, for which pydantic has none.
_Measure = Annotated[str, Field(json_schema_extra={"enum": list(MEASURES)})]
# Images are resized to at most ten times the side that models see.
_CropPct = Annotated[float, Field(ge=0.1, le=1), POINT]
_Std = Annotated[float, Field(ge=1e-3, le=1), POINT]
_OF_COLOURS = Field(min_length=3, max_length=3)


class SharedPreprocessing(Strict):
    """What all models see where preprocessing is shared; `mean` and `std` are of red, green and
    blue, between 0 and 1."""

    crop_pct: _CropPct = 0.875
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bicubic"
    mean: Annotated[list[Share], _OF_COLOURS] = [0.485, 0.456, 0.406]
    std: Annotated[list[_Std], _OF_COLOURS] = [0.229, 0.224, 0.225]


class Accuracy(Strict):
    """On which images models are evaluated, and how.

    `preprocessing` is each model's own, as timm configures it, or `shared` by all, as it always is
    where models are trained. `image_size` wins over the model's own, and over the setting's where
    preprocessing is shared. `real_labels` is a file of ImageNet-ReaL's labels, `valid_labels` one
    of the classes to choose among, a line for each. Models of `precision: int8` are calibrated on
    images to learn from or, where it is given, of the folder `calibration`, which needs no labels.
    Paths start at the suite's folder.

    With a recipe under `train` every model is trained with it first, once for each of `seeds`; the
    file names one that comes along, or the path of one beside the suite.
    """

    dataset: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.\-/:]*$", max_length=200)] = "digits"
    preprocessing: Literal["own", "shared"] = "own"
    shared: SharedPreprocessing = SharedPreprocessing()
    image_size: ImageSize | None = None
    real_labels: File | None = None
    valid_labels: File | None = None
    calibration: File | None = None
    train: Annotated[Recipe | None, written_as(Recipe | File | None)] = None
    seeds: Annotated[Some[Annotated[int, Field(ge=0, lt=2**32)]], Field(min_length=1)] = [0]

    @model_validator(mode="before")
    @classmethod
    def _shared_where_trained(cls, value: object) -> object:
        if isinstance(value, dict) and value.get("train") is not None:
            return {"preprocessing": "shared"} | value
        return value

    @model_validator(mode="after")
    def _same_pixels(self) -> Accuracy:
        if self.train is not None and self.preprocessing != "shared":
            raise ValueError("models that are trained here all see the same pixels; "
                             "leave preprocessing out")  # fmt: skip
        if self.train is None and "seeds" in self.model_fields_set:
            raise ValueError("seeds need a training; add train: RECIPE, or leave seeds out")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("a seed is given twice; keep one")
        return self

    def shared_size(self, setting: Setting) -> int:
        """The side, in pixels, of what all models see in a setting."""
        return self.image_size or setting.image_size


class ClaimEntry(Strict):
    """A sentence about the models and the check that decides it, in the grammar of `claims`."""

    say: Label
    check: Annotated[str, Field(min_length=1, max_length=10_000)]


class Suite(Strict):
    """A whole suite: `name` and `models` are enough.

    Without `measures` these are `USUAL_MEASURES`, without `settings` one of each kind of device.
    `replicates` is the number of fresh processes for each sampled cell. With a `precision`, a share
    ("2%" in the file), it is the least: more follow until half the interval is no wider than that.
    `budget` are the seconds ("10m") for measuring; each cell is measured once in any case.
    """

    name: Name
    title: Label | None = None
    models: Annotated[Some[Annotated[Entry, written_as(Entry | Name)]], Field(min_length=1)]
    measures: Annotated[list[_Measure], Field(min_length=1)] = USUAL_MEASURES
    settings: Settings = USUAL
    replicates: Annotated[int, Field(ge=1, le=1000)] = 5
    precision: Annotated[float | None, text_as(units.share, units.SHARE)] = None
    budget: Annotated[float | None, text_as(units.seconds, units.SECONDS)] = None
    num_classes: Positive = 1000
    accuracy: Accuracy = Accuracy()
    macs: Macs = Macs()
    timeout: Seconds = 1800.0
    claims: Some[ClaimEntry] = []

    @model_validator(mode="before")
    @classmethod
    def _accuracy_of_images(cls, value: object) -> object:
        if isinstance(value, dict) and "accuracy" in value:
            return {"measures": [*USUAL_MEASURES, "accuracy"]} | value
        return value

    @model_validator(mode="after")
    def _not_too_many_cells(self) -> Suite:
        cells = max(self._cells(self.settings.cuda), self._cells(self.settings.cpu))
        if cells > MOST_CELLS:
            raise ValueError(f"its models, measures and settings make {cells:,} cells; at most "
                             f"{MOST_CELLS:,} are measured in one run")  # fmt: skip
        return self

    def _cells(self, settings: Sequence[CudaSetting | CpuSetting]) -> int:
        """How many its models make in settings: those of one image size share what is exact."""
        sizes = len({setting.image_size for setting in settings})
        scopes = [MEASURES[name].scope for name in self.measures if name in MEASURES]
        return self.size * sum(sizes if of == "resolution" else len(settings) for of in scopes)

    @property
    def size(self) -> int:
        """How many models it has, with one for each family of a match."""
        return sum(
            len(entry.families) if isinstance(entry, MatchEntry) else 1 for entry in self.models
        )

    @property
    def named(self) -> list[str]:
        """The models that have names of their own; members that are matched get theirs later."""
        return [entry.name for entry in self.models if isinstance(entry, ModelEntry)]

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that are equal for suites that measure the same.

        Claims are judged from what was measured, and a budget says only how much of it there is: a
        new one must not measure all anew.
        """
        content = self.model_dump(mode="json", exclude={"claims", "budget"}, exclude_defaults=True)
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class SuiteFile:
    """A suite and the document it came from, which knows where everything stands.

    `argument` is how the user named it: a path, or the name of a suite that comes along; None
    where models are all that was given. `added` are models that the user added to it; a
    `quick` one has been cut down to two rounds.
    """

    suite: Suite
    document: Document
    argument: str | None
    added: tuple[str, ...] = ()
    quick: bool = False

    @property
    def hash(self) -> str:
        """That of the suite; another where it is quick, for such a run must not pass for a whole
        one, not even where the suite asks for two rounds by itself."""
        if not self.quick:
            return self.suite.hash
        return hashlib.sha256(f"{self.suite.hash} quick".encode()).hexdigest()[:12]

    @property
    def words(self) -> list[str]:
        """How a command names it."""
        return command.words(self.argument, self.added, self.quick)


def find(suite: str) -> Path:
    """The path of a suite given as a path or as the name of one that comes with the package.

    Raises:
        SuiteError: there is neither a file nor a shipped suite of that name.
    """
    path, known = Path(suite), shipped.suites()
    if (file := shipped.find(path, suite, known)) is not None:
        return file
    raise SuiteError(
        f"{suite}: no such file, and no suite of that name comes with the package"
        f"{shipped.suggest(path, known) or ' (see: cmx-bench list suites)'}"
    )


def load(
    argument: str | None, trusted: bool = False, added: Sequence[str] = (), quick: bool = False
) -> SuiteFile:
    """The suite at a path, or the shipped suite of that name.

    Args:
        argument: None for a suite of nothing but the models that are `added`.
        trusted: whether it may name files outside its folder.
        added: models to add to the suite's: what timm calls them, or `module:callable`.
        quick: whether it is cut down to two rounds: see `command.cut_down`.

    Raises:
        SuiteError: with file, line, column, what was expected, and the nearest valid word.
    """
    written = command.nothing_but(added) if argument is None else document.read(find(argument))
    source = sweeps.expand(written)
    if not isinstance(source.value, dict):
        raise source.error((), f"expected keys such as name and models, got {kind(source.value)}")
    value: dict[str, Any] = dict(source.value)
    if isinstance(models := value.get("models"), list):
        source = command.with_models(source, len(models), added)
        # A bare timm name is short for {name: ...}.
        value["models"] = [{"name": entry} if isinstance(entry, str) else entry
                           for entry in [*models, *map(command.entry, added)]]  # fmt: skip
    asked = value.get("accuracy")
    if isinstance(asked, dict) and isinstance(named := asked.get("train"), str):
        with _naming(source, "train"):
            path = recipe.find(named, source.path.parent, trusted)
        value["accuracy"] = {**asked, "train": recipe.load(path)}
    suite = validate(Suite, source, value)
    for location, problem in _problems(suite):
        raise source.error(location, problem)
    _read_claims(source, suite)
    if not suite.settings.cuda and not suite.settings.cpu:
        raise source.error(("settings",), "no setting given; add one under cpu or cuda")
    for key in ("real_labels", "valid_labels", "calibration"):
        if (file := getattr(suite.accuracy, key)) is not None:
            with _naming(source, key):
                trust.locate(file, source.path.parent, trusted)
    if quick:
        suite = suite.model_copy(update=command.cut_down(suite.replicates))
    return SuiteFile(suite, source, argument, tuple(added), quick)


@contextmanager
def _naming(source: Document, key: str) -> Iterator[None]:
    """Says of a file that a key of `accuracy` names where the key stands."""
    try:
        yield
    except SuiteError as error:
        raise source.error(("accuracy", key), f"{key}: {error}") from None


def _problems(suite: Suite) -> Iterator[tuple[Location, str]]:
    """What the types cannot say, and where: unknown measures, names that are used twice, measures
    that settings do not allow."""
    for index, measure in enumerate(suite.measures):
        if measure not in MEASURES:
            metric = METRICS.get(measure)
            hint = f"; it is a metric of the measure {metric.measure}" if metric else ""
            hint = hint or nearest(measure, MEASURES)
            known = ", ".join(MEASURES)
            yield ("measures", index), f"unknown measure {quote(measure)}{hint} (known: {known})"
    yield from _repeats(("measures",), suite.measures)
    yield from _repeats(("models",), [getattr(entry, "name", None) for entry in suite.models])
    for device, settings in (("cuda", suite.settings.cuda), ("cpu", suite.settings.cpu)):
        yield from _repeats(("settings", device), [setting.name for setting in settings])
    yield from _find_untrainable(suite)
    yield from _find_unjudged(suite)


def _repeats(location: Location, names: Sequence[str | None]) -> Iterator[tuple[Location, str]]:
    for index, name in enumerate(names):
        if name is not None and name in names[:index]:
            yield (*location, index), f"{name!r} is given twice; keep one"


def _find_untrainable(suite: Suite) -> Iterator[tuple[Location, str]]:
    """Measures that train, next to a setting in which nothing can be trained."""
    settings = (*suite.settings.cuda, *suite.settings.cpu)
    for index, measure in enumerate(suite.measures):
        for setting in settings if MEASURES[measure].trains else ():
            if setting.runtime != "torch" or setting.freeze:
                what = "frozen weights" if setting.freeze else setting.runtime
                problem = (
                    f"{measure}: nothing is trained by {what}, as in the setting "
                    f"{setting.name!r}; leave the measure or the setting out"
                )
                yield ("measures", index), problem


def _find_unjudged(suite: Suite) -> Iterator[tuple[Location, str]]:
    """int8 whose accuracy nobody sees, or is of other weights than those that are timed."""
    why = ""
    if "accuracy" not in suite.measures:
        why = "int8 is not timed without its accuracy beside it; add accuracy to measures"
    elif suite.accuracy.train is not None:
        why = ("int8 is made of weights that are there before anything is timed; train the models "
               "in a run without it, and give theirs with --weights RUN/trained")  # fmt: skip
    for index, setting in enumerate(suite.settings.cpu):
        if why and setting.precision == "int8":
            yield ("settings", "cpu", index, "precision"), why


def _read_claims(source: Document, suite: Suite) -> None:
    for index, claim in enumerate(suite.claims):
        try:
            claims.parse(claim.check, suite.named)
        except claims.CheckError as mistake:
            location, before = ("claims", index, "check"), claim.check[: mistake.at]
            raise source.error(location, f"check: {mistake}", inside=before) from None
