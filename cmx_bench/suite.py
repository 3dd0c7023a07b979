"""A suite: which models, which settings, which measures; read from YAML, strictly."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from cmx_bench import document, units
from cmx_bench.cell import Argument, CompileMode, Family, Layout, Precision
from cmx_bench.designs import FAMILIES
from cmx_bench.document import Document, Location
from cmx_bench.errors import SuiteError, nearest
from cmx_bench.matching import search
from cmx_bench.measures import MEASURES

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$"
_Name = Annotated[str, Field(pattern=NAME, max_length=100)]
_Label = Annotated[str, Field(min_length=1, max_length=200)]
_Positive = Annotated[int, Field(ge=1)]


def _text_as(parse: Callable[[str], float]) -> BeforeValidator:
    """Reads text with `parse`; a number in its place is refused in the same words."""

    def read(value: object) -> float:
        try:
            return parse(value if isinstance(value, str) else "")
        except ValueError as error:
            raise ValueError(f"{error}, got {_shown(value)}") from None

    return BeforeValidator(read)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ConvMixerEntry(_Strict):
    """The paper's four parameters and the activation function."""

    dim: _Positive
    depth: _Positive
    kernel_size: _Positive = 9
    patch_size: _Positive = 7
    activation: Literal["gelu", "relu"] = "gelu"


def _stages(layers: str) -> str:
    if not re.fullmatch(r"[1-9]\d*(-[1-9]\d*){3}", layers):
        raise ValueError(
            f"expected the blocks of four stages such as 3-4-6-3, got {_shown(layers)}"
        )
    return layers


class ResNetEntry(_Strict):
    """The width of the first stage, the blocks of each stage (`3-4-6-3`), and their kind."""

    width: _Positive = 64
    layers: Annotated[str, AfterValidator(_stages)]
    block: Literal["basic", "bottleneck"] = "bottleneck"


class DeiTEntry(_Strict):
    """Width, depth, heads, and the hidden units of an MLP: heads divide the width."""

    dim: _Positive
    depth: _Positive
    heads: _Positive
    mlp_dim: _Positive


class MLPEntry(_Strict):
    """Width and depth of a ResMLP or an MLP-Mixer, and the side of its patches."""

    dim: _Positive
    depth: _Positive
    patch_size: _Positive = 16


SOURCES = ("timm", "convmixer", "resnet", "deit", "resmlp", "mixer", "python")


class ModelEntry(_Strict):
    """A model: a timm name alone, or one of `SOURCES` with its arguments."""

    name: _Name
    label: _Label | None = None
    family: _Name | None = None
    timm: _Name | None = None
    convmixer: ConvMixerEntry | None = None
    resnet: ResNetEntry | None = None
    deit: DeiTEntry | None = None
    resmlp: MLPEntry | None = None
    mixer: MLPEntry | None = None
    python: str | None = None
    args: dict[str, Argument] = {}
    weights: _Label | None = None

    @model_validator(mode="after")
    def _one_source(self) -> ModelEntry:
        sources = [key for key in SOURCES if getattr(self, key) is not None]
        if len(sources) > 1:
            raise ValueError(f"one of {' and '.join(sources)} is enough; keep one")
        if self.python is not None and not re.fullmatch(r"[\w.]+:\w+", self.python):
            raise ValueError(f"python is 'module:callable', got {self.python!r}")
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
        raise ValueError(f"expected a model or a number such as 21.1M, got {_shown(value)}")
    return value


class MatchEntry(_Strict):
    """Members of `families` that cost as much as a model, or as a number says.

    The model is one of this suite, of timm, or of the paper. `image_size` is that of the settings,
    where they have but one.
    """

    match: Annotated[str | int, BeforeValidator(_target)]
    families: Annotated[list[Family], Field(min_length=1)]
    by: Literal["params", "macs", "both"] = "params"
    within: Annotated[float, _text_as(units.share)] = search.WITHIN
    image_size: _Positive | None = None

    @model_validator(mode="after")
    def _one_number(self) -> MatchEntry:
        if self.by == "both" and self.number is not None:
            raise ValueError("by: both needs a model to match; a number is of one or the other")
        return self

    @property
    def number(self) -> int | None:
        """What `match` says, if that is a number."""
        try:
            return units.count(str(self.match))
        except ValueError:
            return None

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


class CpuSetting(_Strict):
    """A setting for CPUs. `batch_size: auto` is chosen once for the whole suite."""

    name: _Name
    precision: Literal["fp32", "fp16", "bf16", "autocast"] = "fp32"
    layout: Layout = "nchw"
    compile: CompileMode = "none"
    batch_size: _Positive | Literal["auto"] = "auto"
    image_size: _Positive = 224
    threads: _Positive | None = None


class CudaSetting(_Strict):
    """A setting for CUDA devices."""

    name: _Name
    precision: Precision = "fp16"
    layout: Layout = "nchw"
    compile: CompileMode = "none"
    batch_size: _Positive = 64
    image_size: _Positive = 224
    cudnn_benchmark: bool = True


class Settings(_Strict):
    """The settings of each kind of device."""

    cuda: list[CudaSetting] = []
    cpu: list[CpuSetting] = []


class Suite(_Strict):
    """A whole suite.

    `replicates` is the number of fresh processes for each sampled cell. With a `precision`, a share
    ("2%" in the file), it is the least: more follow until half the interval is no wider than that.
    `budget` are the seconds ("10m") after which nothing is repeated any more.
    """

    name: _Name
    title: _Label | None = None
    models: Annotated[list[Entry], Field(min_length=1)]
    measures: Annotated[list[str], Field(min_length=1)]
    settings: Settings
    replicates: Annotated[int, Field(ge=1, le=1000)] = 5
    precision: Annotated[float | None, _text_as(units.share)] = None
    budget: Annotated[float | None, _text_as(units.seconds)] = None
    num_classes: _Positive = 1000
    timeout: Annotated[float, Field(gt=0, strict=False)] = 1800.0

    @property
    def size(self) -> int:
        """How many models it has, with one for each family of a match."""
        return sum(len(one.families) if isinstance(one, MatchEntry) else 1 for one in self.models)

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that are equal for suites that say the same."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
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
    here = Path(__file__).resolve().parent
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


def load(argument: str) -> SuiteFile:
    """The suite at a path, or the shipped suite of that name.

    Raises:
        SuiteError: with file, line, column, what was expected, and the nearest valid word.
    """
    source = document.read(find(argument))
    if not isinstance(source.value, dict):
        raise source.error((), f"expected keys such as name and models, got {_kind(source.value)}")
    value = dict(source.value)
    if isinstance(models := value.get("models"), list):
        # A bare timm name is short for {name: ...}.
        value["models"] = [{"name": entry} if isinstance(entry, str) else entry for entry in models]
    try:
        suite = Suite.model_validate(value)
    except ValidationError as error:
        raise _explain(source, error) from None
    _check_words(source, suite)
    return SuiteFile(suite, source, argument)


def _check_words(source: Document, suite: Suite) -> None:
    """What the types cannot say: known measures, names used once."""
    for index, measure in enumerate(suite.measures):
        if measure not in MEASURES:
            raise source.error(
                ("measures", index),
                f"unknown measure {measure!r}{nearest(measure, MEASURES)} "
                f"(known: {', '.join(MEASURES)})",
            )
    _refuse_repeats(source, ("measures",), suite.measures)
    names = [entry.name if isinstance(entry, ModelEntry) else None for entry in suite.models]
    _refuse_repeats(source, ("models",), names)
    for kind in ("cuda", "cpu"):
        names = [setting.name for setting in getattr(suite.settings, kind)]
        _refuse_repeats(source, ("settings", kind), names)
    if not suite.settings.cuda and not suite.settings.cpu:
        raise source.error(("settings",), "no setting given; add one under cpu or cuda")


def _refuse_repeats(source: Document, location: Location, names: Sequence[str | None]) -> None:
    for name, count in Counter(names).items():
        if count > 1 and name is not None:
            second = [index for index, other in enumerate(names) if other == name][1]
            raise source.error((*location, second), f"{name!r} is given twice; keep one")


_EXPECTED = {
    "missing": "is missing",
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    "dict_type": "expected keys and values",
    "model_type": "expected keys and values",
    "string_pattern_mismatch": "expected a name of letters, digits, '_', '-' and '.'",
    "model_attributes_type": "expected keys and values",
}


def _explain(source: Document, error: ValidationError) -> SuiteError:
    """The first problem that pydantic found, in a user's words and at its place in the file."""
    found = error.errors(include_url=False)
    # A mistyped key is also a missing one: name the word that is there.
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    # A number or the word auto: of a wrong word, the words that would do are more help.
    others = [one for one in found if one["loc"][:-1] == first["loc"][:-1]]
    if first["type"] == "int_type" and isinstance(first["input"], str):
        first = next((one for one in others if one["type"] == "literal_error"), first)
    location = _within(source, first["loc"])
    kind, context = first["type"], first.get("ctx", {})
    name = next((part for part in reversed(location) if isinstance(part, str)), "the suite")
    if kind == "extra_forbidden":
        word = str(first["loc"][-1])
        known = _keys_at(source.value, location)
        return source.error(
            (*location, "<key>"),
            f"unknown key {word!r}{nearest(word, known)} (known: {', '.join(known)})",
        )
    if kind == "missing":
        return source.error(location, f"the key {first['loc'][-1]!r} is missing")
    got = first["input"]
    if kind == "literal_error":
        expected = str(context["expected"])
        if any(one["type"] == "int_type" for one in others):
            expected += " or a whole number"
        words = re.findall(r"'(.*?)'", expected)
        hint = nearest(got, words) if isinstance(got, str) else ""
        return source.error(location, f"{name}: expected {expected}, got {_shown(got)}{hint}")
    if kind == "value_error":
        return source.error(location, f"{name}: {context['error']}")
    expected = _EXPECTED.get(kind) or first["msg"].removeprefix("Input ").strip()
    return source.error(location, f"{name}: {expected}, got {_shown(got)}")


def _within(source: Document, loc: tuple[int | str, ...]) -> Location:
    """pydantic's location without the names of union branches, which stand nowhere in the file."""
    location: Location = ()
    for part in loc:
        if (*location, part) in source.marks:
            location = (*location, part)
    return location


def _keys_at(value: Any, location: Location) -> list[str]:
    """The valid keys of the mapping that holds the key at `location` of a suite's plain value."""
    model: type[BaseModel] = Suite
    possible = [model]
    for part in location[:-1]:
        value = value[part]
        if isinstance(part, str):
            possible = list(_models_in(model.model_fields[part].annotation)) or [model]
        if isinstance(value, dict):
            model = _most_alike(possible, value)
    return list(model.model_fields)


def _most_alike(models: Iterable[type[BaseModel]], value: Mapping[str, Any]) -> type[BaseModel]:
    """The first of the models that have the most keys in common with `value`."""
    return max(models, key=lambda model: len(model.model_fields.keys() & value.keys()))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The pydantic models that a field's type mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _shown(value: object) -> str:
    return f"{_kind(value)} {value!r}" if isinstance(value, str | int | float) else _kind(value)


def _kind(value: object) -> str:
    names = {str: "text", bool: "a boolean", int: "a number", float: "a number", dict: "keys"}
    return names.get(type(value), "a list" if isinstance(value, list) else "nothing")
