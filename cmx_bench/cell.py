"""The nouns of a plan: a model, a setting, and a cell, which is one measure of a model in a
setting."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, GetPydanticSchema, WrapValidator
from typing_extensions import TypedDict

Positive: TypeAlias = Annotated[int, Field(ge=1, lt=2**63)]
Whole: TypeAlias = Annotated[int, Field(ge=-(2**63), lt=2**63)]
# Far from the largest float: sums, squares and ratios of such numbers are finite.
Real: TypeAlias = Annotated[float, Field(ge=-1e100, le=1e100)]
Scalar: TypeAlias = str | Whole | float | bool
Argument: TypeAlias = Scalar | tuple[Scalar, ...]
# Those whose members `designs` describes.
Family: TypeAlias = Literal["resnet", "deit", "resmlp", "mixer", "convmixer"]
Source: TypeAlias = Family | Literal["timm", "python"]
# int8 is what a runtime makes of an fp32 model: see `measures.calibration`.
Precision: TypeAlias = Literal["fp32", "tf32", "fp16", "bf16", "autocast", "int8"]
Layout: TypeAlias = Literal["nchw", "nhwc"]
CompileMode: TypeAlias = Literal["none", "default", "reduce-overhead", "max-autotune"]
# What each needs stands in `measures.runtimes`.
Runtime: TypeAlias = Literal["torch", "aotinductor", "onnxruntime", "tensorrt", "openvino"]
Scope: TypeAlias = Literal["resolution", "setting"]
ZERO = "zero"  # the word on operators that multiply and add up nothing


def spell(value: Scalar | Sequence[Scalar]) -> str:
    """An argument as a suite writes it, a list without brackets: `true`, `0.1`, `2, 2, 6, 2`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    return ", ".join(map(spell, value))


def slug(name: str) -> str:
    """A name of hardware as it appears in keys: `nvidia_a100_sxm4_80gb` for `NVIDIA
    A100-SXM4-80GB`."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


class _Match(TypedDict):
    """The keys of `designs.matches.tell`."""

    target: str
    amounts: str
    residual: Real
    departure: str
    nearest: str
    nearest_residual: Real


def _empty_or_whole(value: object, check: Callable[[object], Mapping[str, str | float]]) -> object:
    return value if value == {} else check(value)


Matched: TypeAlias = Annotated[
    Mapping[str, str | float],
    GetPydanticSchema(lambda _, of: of(_Match)),
    WrapValidator(_empty_or_whole),
]


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a suite, described well enough to build it in another process.

    `target` is the timm name (source "timm") or `module:callable` (source "python"); a member of
    one of the families of `designs` is described by `args` alone.

    `weights` is a timm tag or the path of a checkpoint; with `resample` those of another image size
    are resampled. `recipe` is the timm tag whose preprocessing and published figures belong to
    these weights. `patch_size`, `kernel_size` and `activation` are read off the built model; None
    where it has none. `matched` is empty, except for a model that was made to order: it holds the
    target, the residual and the published model that it departs from (`designs.matches.tell`).

    An `optimised` ConvMixer is folded once it has its weights (`models.fast`). The folded model is
    timed and evaluated; the plain one is counted and trained. `counted_by` is what the user says of
    operators that no rule counts, by their names: `ZERO`, or the `module:function` that gives MACs.
    """

    name: str
    label: str
    family: str
    source: Source
    target: str
    args: Mapping[str, Argument] = field(default_factory=dict)
    weights: str | None = None
    num_classes: Positive = 1000
    patch_size: Positive | None = None
    kernel_size: Positive | None = None
    activation: str | None = None
    recipe: str = ""
    matched: Matched = field(default_factory=dict)
    resample: bool = False
    counted_by: Mapping[str, str] = field(default_factory=dict)
    optimised: bool = False


# Without slots: its key is cached, because it is read tens of thousands of times.
@dataclass(frozen=True)
class Setting:
    """How a model is run. `device` is "cpu" or "cuda:N"; no `threads` means torch's own number.

    `hardware` names the kind of device where a run has several kinds: see
    `results.environment.hardware`. It is empty where all devices of a run are of one kind.
    With `freeze` Inductor, torch's compiler, takes the weights for constants.
    """

    name: str
    device: str
    precision: Precision
    layout: Layout
    compile: CompileMode
    batch_size: Positive
    image_size: Positive
    threads: Positive | None = None
    cudnn_benchmark: bool = True
    hardware: str = ""
    runtime: Runtime = "torch"
    freeze: bool = False

    @property
    def title(self) -> str:
        """The name in headings: the suite's name of the setting and, with several kinds of device,
        the kind."""
        return f"{self.name} on {self.hardware}" if self.hardware else self.name

    @property
    def kind(self) -> str:
        """The kind of device, without its number: "cpu" or "cuda"."""
        return self.device.partition(":")[0]

    @cached_property
    def key(self) -> str:
        """The setting's key, such as `cuda-fp16-nchw-eager-b64-r224`. Keys never change. Values
        other than the defaults are appended."""
        compiled = "eager" if self.compile == "none" else self.compile.replace("-", "_")
        parts = [self.kind, self.precision, self.layout, compiled]
        parts += [f"b{self.batch_size}", f"r{self.image_size}"]
        parts += [f"t{self.threads}"] if self.threads else []
        parts += [] if self.cudnn_benchmark else ["no_cudnn_benchmark"]
        parts += [slug(self.hardware)] if self.hardware else []
        parts += [] if self.runtime == "torch" else [self.runtime]
        parts += ["frozen"] if self.freeze else []
        return "-".join(parts)


@dataclass(frozen=True)  # without slots, as a setting
class Cell:
    """One model × one measure × one setting.

    A measure of scope "resolution" (params, macs) depends on the image size alone. All settings of
    that size share its key, and so the cell.
    """

    model: Model
    measure: str
    setting: Setting
    scope: Scope = "setting"

    @property
    def setting_key(self) -> str:
        return self.setting.key if self.scope == "setting" else f"r{self.setting.image_size}"

    @property
    def is_quantised(self) -> bool:
        """Whether its model is calibrated on images. Exact measures have no precision."""
        return self.setting.precision == "int8" and self.scope == "setting"

    @cached_property
    def key(self) -> str:
        return f"{self.model.name}/{self.measure}/{self.setting_key}"
