"""The entries of a suite under `models`: models, and members of families matched to one."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from cmx_bench import units
from cmx_bench.cell import Argument, Family
from cmx_bench.designs import FAMILIES, search
from cmx_bench.errors import quote
from cmx_bench.spec.schema import (
    MOST_ITEMS,
    Depth,
    File,
    ImageSize,
    Label,
    Name,
    Positive,
    Strict,
    show,
    text_as,
)

_Text = Annotated[str, Field(max_length=1000)]
_Scalar: TypeAlias = _Text | int | float | bool
# A list within a sweep, which is one of the swept values: see `spec.sweeps`.
_List = Annotated[tuple[_Scalar, ...], Field(min_length=1, max_length=MOST_ITEMS, strict=False)]


class ConvMixerEntry(Strict):
    """The paper's four parameters, and what its ablations change: see `models.convmixer`. One that
    is `optimised` is folded, see `models.fast`, which no ablation can be."""

    dim: Positive
    depth: Depth
    kernel_size: Positive = 9
    patch_size: Positive = 7
    activation: Literal["gelu", "relu"] = "gelu"
    norm: Literal["batch", "layer"] = "batch"
    residual: Literal["depthwise", "both", "none"] = "depthwise"
    optimised: bool = False

    @model_validator(mode="after")
    def _optimised_as_published(self) -> ConvMixerEntry:
        if self.optimised and (self.norm, self.residual) != ("batch", "depthwise"):
            raise ValueError("optimised goes with norm: batch and residual: depthwise alone, which "
                             "fold; leave one of them out")  # fmt: skip
        return self


def _stages(layers: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,2}(-[1-9]\d{0,2}){3}", layers):
        raise ValueError(f"expected the blocks of four stages such as 3-4-6-3, got {show(layers)}")
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
    """A model: a timm name alone, or one of `SOURCES` with its arguments.

    With `resample`, weights in a file that are of another image size are resampled as timm does.
    `optimised` is said here of a ConvMixer by its name, and may be said so of any.
    """

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
    args: dict[Name, _Scalar | _List] = {}
    weights: File | None = None
    resample: bool = False
    optimised: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> ModelEntry:
        sources = [key for key in SOURCES if getattr(self, key) is not None]
        if len(sources) > 1:
            raise ValueError(f"one of {' and '.join(sources)} is enough; keep one")
        if self.python is not None and not re.fullmatch(r"[\w.]+:\w+", self.python):
            raise ValueError(f"python is 'module:callable', got {quote(self.python)}")
        if self.args and self.design is not None:
            raise ValueError(f"args go with timm and python; a {sources[0]} has its own keys")
        if self.optimised and (self.args or not {*sources} <= {"timm", "convmixer"}):
            other = "args" if self.args else sources[0]
            raise ValueError(f"optimised goes with a ConvMixer as published, and not with {other}")
        return self

    @property
    def design(self) -> tuple[Family, dict[str, Argument]] | None:
        """The family and the arguments of a model that is described by what it is made of."""
        for family in FAMILIES:
            if (described := getattr(self, family)) is not None:
                return family, described.model_dump(exclude={"optimised"})
        return None

    @property
    def is_optimised(self) -> bool:
        """Whether it is an optimised ConvMixer, wherever the entry says so."""
        return self.optimised or (self.convmixer is not None and self.convmixer.optimised)


def _target(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"expected a model or a number such as 21.1M, got {show(value)}")
    try:
        units.count(str(value))
    except ValueError as error:
        raise ValueError(f"{error}, or a model; got {show(value)}") from None
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
    within: Annotated[float, text_as(units.share, units.SHARE)] = search.WITHIN
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
        return ("params", "macs") if self.by == "both" else (self.by,)


def _kind_of_entry(entry: object) -> str:
    """Tags that are no keys of a suite: an error's location in the file leaves them out."""
    matched = "match" in entry if isinstance(entry, dict) else isinstance(entry, MatchEntry)
    return "<match>" if matched else "<model>"


Entry: TypeAlias = Annotated[
    Annotated[ModelEntry, Tag("<model>")] | Annotated[MatchEntry, Tag("<match>")],
    Discriminator(_kind_of_entry),
]
