"""A suite: which models, which settings, which measures; read from YAML, strictly."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from cmx_bench import units
from cmx_bench.cell import Argument, CompileMode, Family, Layout, Precision, Setting
from cmx_bench.designs import FAMILIES, search
from cmx_bench.errors import SuiteError, nearest, quoted
from cmx_bench.measures import MEASURES
from cmx_bench.spec import claims, document, recipe, trust
from cmx_bench.spec.document import Document, Location
from cmx_bench.spec.recipe import Recipe
from cmx_bench.spec.schema import (
    Above,
    Depth,
    File,
    ImageSize,
    Label,
    Name,
    Number,
    Positive,
    Seconds,
    Strict,
    kind,
    shown,
    text_as,
    validated,
)

# A list may be long, and a run may not be endless.
MOST_CELLS = 100_000
_Item = TypeVar("_Item")
_Some = Annotated[list[_Item], Field(max_length=1000)]

_Text = Annotated[str, Field(max_length=1000)]
_Colour = Annotated[list[Number], Field(min_length=3, max_length=3)]


class ConvMixerEntry(Strict):
    """The paper's four parameters, and what its ablations change: see `models.convmixer`."""

    dim: Positive
    depth: Depth
    kernel_size: Positive = 9
    patch_size: Positive = 7
    activation: Literal["gelu", "relu"] = "gelu"
    norm: Literal["batch", "layer"] = "batch"
    residual: Literal["depthwise", "both", "none"] = "depthwise"


def _stages(layers: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,2}(-[1-9]\d{0,2}){3}", layers):
        raise ValueError(f"expected the blocks of four stages such as 3-4-6-3, got {shown(layers)}")
    return layers


class ResNetEntry(Strict):
    """The width of the first stage, the blocks of each stage (`3-4-6-3`), and their kind."""

    width: Positive = 64
    layers: Annotated[str, AfterValidator(_stages)]
    block: Literal["basic", "bottleneck"] = "bottleneck"


class DeiTEntry(Strict):
    """Width, depth, heads, the hidden units of an MLP, and the side of the patches: heads divide
    the width."""

    dim: Positive
    depth: Depth
    heads: Positive
    mlp_dim: Positive
    patch_size: Positive = 16


class MLPEntry(Strict):
    """Width and depth of a ResMLP or an MLP-Mixer, and the side of its patches."""

    dim: Positive
    depth: Depth
    patch_size: Positive = 16


SOURCES = ("timm", "convmixer", "resnet", "deit", "resmlp", "mixer", "python")


class ModelEntry(Strict):
    """A model: a timm name alone, or one of `SOURCES` with its arguments."""

    name: Name
    label: Label | None = None
    family: Name | None = None
    timm: Name | None = None
    convmixer: ConvMixerEntry | None = None
    resnet: ResNetEntry | None = None
    deit: DeiTEntry | None = None
    resmlp: MLPEntry | None = None
    mixer: MLPEntry | None = None
    python: Label | None = None
    args: dict[Name, _Text | int | float | bool] = {}
    weights: File | None = None

    @model_validator(mode="after")
    def _one_source(self) -> ModelEntry:
        sources = [key for key in SOURCES if getattr(self, key) is not None]
        if len(sources) > 1:
            raise ValueError(f"one of {' and '.join(sources)} is enough; keep one")
        if self.python is not None and not re.fullmatch(r"[\w.]+:\w+", self.python):
            raise ValueError(f"python is 'module:callable', got {quoted(self.python)}")
        if self.args and self.design is not None:
            raise ValueError(f"args go with timm and python; a {sources[0]} has its own keys")
        return self

    @property
    def design(self) -> tuple[Family, dict[str, Argument]] | None:
        """The family and the arguments of a model that is described by what it is made of."""
        for family in FAMILIES:
            if (described := getattr(self, family)) is not None:
                return family, described.model_dump()
        return None


def _target(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"expected a model or a number such as 21.1M, got {shown(value)}")
    try:
        units.count(str(value))
    except ValueError as error:
        raise ValueError(f"{error}, or a model; got {shown(value)}") from None
    return value


class MatchEntry(Strict):
    """Members of `families` that cost as much as a model, or as a number says.

    The model is one of this suite, of timm, or of the paper. `image_size` is that of the settings,
    where they have but one. `patch_size` is that of all members which have patches, for images that
    are smaller than those of published ones.
    """

    match: Annotated[str | int, BeforeValidator(_target)]
    families: Annotated[list[Family], Field(min_length=1, max_length=len(FAMILIES))]
    by: Literal["params", "macs", "both"] = "params"
    within: Annotated[float, text_as(units.share)] = search.WITHIN
    image_size: ImageSize | None = None
    patch_size: Positive | None = None

    @model_validator(mode="after")
    def _one_number(self) -> MatchEntry:
        if self.by == "both" and self.number is not None:
            raise ValueError("by: both needs a model to match; a number is of one or the other")
        return self

    @property
    def number(self) -> int | None:
        """What `match` says, if that is a number."""
        return units.count(str(self.match))

    @property
    def quantities(self) -> tuple[search.Quantity, ...]:
        """What is to be matched."""
        return ("params", "macs") if self.by == "both" else (self.by,)


def _kind_of_entry(entry: object) -> str:
    """Tags that are no keys of a suite: an error's location in the file leaves them out."""
    matched = "match" in entry if isinstance(entry, dict) else isinstance(entry, MatchEntry)
    return "<match>" if matched else "<model>"


Entry: TypeAlias = Annotated[
    Annotated[ModelEntry, Tag("<model>")] | Annotated[MatchEntry, Tag("<match>")],
    Discriminator(_kind_of_entry),
]


class CpuSetting(Strict):
    """A setting for CPUs. `batch_size: auto` is chosen once for the whole suite."""

    name: Name
    precision: Literal["fp32", "fp16", "bf16", "autocast"] = "fp32"
    layout: Layout = "nchw"
    compile: CompileMode = "none"
    batch_size: Positive | Literal["auto"] = "auto"
    image_size: ImageSize = 224
    threads: Positive | None = None


class CudaSetting(Strict):
    """A setting for CUDA devices."""

    name: Name
    precision: Precision = "fp16"
    layout: Layout = "nchw"
    compile: CompileMode = "none"
    batch_size: Positive = 64
    image_size: ImageSize = 224
    cudnn_benchmark: bool = True


class Settings(Strict):
    """The settings of each kind of device."""

    cuda: _Some[CudaSetting] = []
    cpu: _Some[CpuSetting] = []


class SharedPreprocessing(Strict):
    """What all models see where preprocessing is shared; `mean` and `std` of red, green, blue."""

    crop_pct: Annotated[Above, Field(le=1)] = 0.875
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bicubic"
    mean: _Colour = [0.485, 0.456, 0.406]
    std: _Colour = [0.229, 0.224, 0.225]


class Accuracy(Strict):
    """On which images models are evaluated, and how.

    `preprocessing` is each model's own, as timm configures it, or `shared` by all. `image_size`
    wins over the model's own, and over the setting's where preprocessing is shared.
    `real_labels` is a file of ImageNet-ReaL's labels, `valid_labels` one of the classes to choose
    among, a line for each; both start at the suite's folder.

    With a recipe under `train` every model is trained with it first, once for each of `seeds`; the
    file names one that comes along, or the path of one beside the suite.
    """

    dataset: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.\-/:]*$", max_length=200)] = "digits"
    preprocessing: Literal["own", "shared"] = "own"
    shared: SharedPreprocessing = SharedPreprocessing()
    image_size: ImageSize | None = None
    real_labels: File | None = None
    valid_labels: File | None = None
    train: Recipe | None = None
    seeds: Annotated[_Some[Annotated[int, Field(ge=0, lt=2**32)]], Field(min_length=1)] = [0]

    @model_validator(mode="after")
    def _same_pixels(self) -> Accuracy:
        if self.train is not None and self.preprocessing != "shared":
            raise ValueError("models that are trained here all see the same pixels; "
                             "add preprocessing: shared")  # fmt: skip
        if self.train is None and "seeds" in self.model_fields_set:
            raise ValueError("seeds are of trainings; add train: RECIPE, or leave seeds out")
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
    """A whole suite.

    `replicates` is the number of fresh processes for each sampled cell. With a `precision`, a share
    ("2%" in the file), it is the least: more follow until half the interval is no wider than that.
    `budget` are the seconds ("10m") in which cells are measured; each is once, whatever it is.
    """

    name: Name
    title: Label | None = None
    models: Annotated[_Some[Entry], Field(min_length=1)]
    measures: Annotated[list[str], Field(min_length=1)]
    settings: Settings
    replicates: Annotated[int, Field(ge=1, le=1000)] = 5
    precision: Annotated[float | None, text_as(units.share)] = None
    budget: Annotated[float | None, text_as(units.seconds)] = None
    num_classes: Positive = 1000
    accuracy: Accuracy = Accuracy()
    timeout: Seconds = 1800.0
    claims: _Some[ClaimEntry] = []

    @model_validator(mode="after")
    def _not_too_many_cells(self) -> Suite:
        settings = max(len(self.settings.cuda), len(self.settings.cpu))
        cells = self.size * len(self.measures) * settings
        if cells > MOST_CELLS:
            raise ValueError(f"its models, measures and settings make {cells:,} cells; at most "
                             f"{MOST_CELLS:,} are measured in one run")  # fmt: skip
        return self

    @property
    def size(self) -> int:
        """How many models it has, with one for each family of a match."""
        return sum(len(one.families) if isinstance(one, MatchEntry) else 1 for one in self.models)

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
        told = self.model_dump(mode="json", exclude={"claims", "budget"}, exclude_defaults=True)
        text = json.dumps(told, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class SuiteFile:
    """A suite and the document it came from, which knows where everything stands.

    `argument` is how the user named it: a path, or the name of a suite that comes along.
    """

    suite: Suite
    document: Document
    argument: str


def folders() -> list[Path]:
    """Where the suites that come with the package lie: in the wheel, or in a checkout beside it."""
    here = Path(__file__).resolve().parent.parent
    return [folder for folder in (here / "suites", here.parent / "suites") if folder.is_dir()]


def shipped() -> dict[str, Path]:
    """The suites that come with the package, by name."""
    return {path.stem: path for folder in folders() for path in sorted(folder.glob("*.yaml"))}


def find(suite: str) -> Path:
    """The path of a suite given as a path or as the name of one that comes with the package.

    Raises:
        SuiteError: there is neither a file nor a shipped suite of that name.
    """
    path = Path(suite)
    if path.is_file():
        return path
    known = shipped()
    if suite in known:
        return known[suite]
    if path.is_dir():
        raise SuiteError(f"{suite}: is a folder; expected a suite's YAML file")
    raise SuiteError(
        f"{suite}: no such file, and no suite of that name comes with the package"
        f"{nearest(path.stem, known) or ' (see: cmx-bench list suites)'}"
    )


def load(argument: str, trusted: bool = False) -> SuiteFile:
    """The suite at a path, or the shipped suite of that name.

    Args:
        trusted: whether it may name files outside its folder.

    Raises:
        SuiteError: with file, line, column, what was expected, and the nearest valid word.
    """
    source = document.read(find(argument))
    if not isinstance(source.value, dict):
        raise source.error((), f"expected keys such as name and models, got {kind(source.value)}")
    value: dict[str, Any] = dict(source.value)
    if isinstance(models := value.get("models"), list):
        # A bare timm name is short for {name: ...}.
        value["models"] = [{"name": entry} if isinstance(entry, str) else entry for entry in models]
    asked = value.get("accuracy")
    if isinstance(asked, dict) and isinstance(named := asked.get("train"), str):
        value["accuracy"] = {**asked, "train": _recipe(source, named, trusted)}
    suite = validated(Suite, source, value)
    _check_words(source, suite)
    _check_labels(source, suite, trusted)
    return SuiteFile(suite, source, argument)


def _recipe(source: Document, named: str, trusted: bool) -> Recipe:
    """The recipe of that name, or at that path from the suite's folder."""
    try:
        path = recipe.find(named, source.path.parent, folders(), trusted)
    except SuiteError as error:
        raise source.error(("accuracy", "train"), f"train: {error}") from None
    return recipe.load(path)


def _check_labels(source: Document, suite: Suite, trusted: bool) -> None:
    for key in ("real_labels", "valid_labels"):
        if (named := getattr(suite.accuracy, key)) is None:
            continue
        try:
            trust.located(named, source.path.parent, trusted)
        except SuiteError as error:
            raise source.error(("accuracy", key), f"{key}: {error}") from None


def _check_words(source: Document, suite: Suite) -> None:
    """What the types cannot say: known measures, names used once, claims that can be read."""
    for index, measure in enumerate(suite.measures):
        if measure not in MEASURES:
            raise source.error(
                ("measures", index),
                f"unknown measure {quoted(measure)}{nearest(measure, MEASURES)} "
                f"(known: {', '.join(MEASURES)})",
            )
    _refuse_repeats(source, ("measures",), suite.measures)
    names = [entry.name if isinstance(entry, ModelEntry) else None for entry in suite.models]
    _refuse_repeats(source, ("models",), names)
    for device in ("cuda", "cpu"):
        keys = [setting.name for setting in getattr(suite.settings, device)]
        _refuse_repeats(source, ("settings", device), keys)
    for index, claim in enumerate(suite.claims):
        _read_claim(source, ("claims", index, "check"), claim, suite.named)
    if not suite.settings.cuda and not suite.settings.cpu:
        raise source.error(("settings",), "no setting given; add one under cpu or cuda")


def _read_claim(source: Document, location: Location, claim: ClaimEntry, models: list[str]) -> None:
    try:
        claims.parse(claim.check, models)
    except claims.CheckError as mistake:
        raise source.error(
            location, f"check: {mistake}", inside=claim.check[: mistake.at]
        ) from None


def _refuse_repeats(source: Document, location: Location, names: Sequence[str | None]) -> None:
    for name, count in Counter(names).items():
        if count > 1 and name is not None:
            second = [index for index, other in enumerate(names) if other == name][1]
            raise source.error((*location, second), f"{name!r} is given twice; keep one")
