"""A recipe: how models are trained, the same for each; read from YAML, as strictly as a suite."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from cmx_bench.errors import SuiteError, quote
from cmx_bench.spec import document, shipped, trust
from cmx_bench.spec.schema import (
    Above0,
    Label,
    Name,
    NotNegative,
    PartOfOne,
    Positive,
    Share,
    Strict,
    show,
    validate,
)

_Range: TypeAlias = Annotated[list[Above0], Field(min_length=2, max_length=2)]

# A part of timm's words for RandAugment: its key, and what may follow it.
_SECTION = re.compile(
    r"(mstd)\d+(?:\.\d+)?|(mmax)[1-9]\d*|(inc)[01]|(m)\d+|(n)[1-9]\d*"
    r"|(p)(?:0\.\d+|[01](?:\.0+)?)|(t)(?:weights|3aw?)"
)


def _rand_augment(words: str) -> str:
    """What timm understands whole: it passes over some mistakes, and fails at others later."""
    first, *sections = words.split("-")
    whole = quote(words)
    given: dict[str, str] = {}
    for section in sections:
        match = _SECTION.fullmatch(section)
        if match is None:
            raise ValueError(f"{quote(section)} in {whole} is none of timm's parts, such as m9, "
                             f"n2, p0.5, mstd0.5, mmax10, inc1 and tweights")  # fmt: skip
        key = match[match.lastindex or 0]
        if key in given:
            raise ValueError(f"{whole} gives {key} twice")
        given[key] = section.removeprefix(key)
    if first != "rand":
        raise ValueError(f"expected timm's words, such as rand-m9-mstd0.5-inc1, got {whole}")
    if int(given.get("m", 0)) > int(given.get("mmax", 10)):
        raise ValueError(f"timm cuts the magnitude in {whole} off at {given.get('mmax', 10)}; "
                         f"lower it, or add mmax{given['m']}")  # fmt: skip
    return words


class Optimizer(Strict):
    """One of timm's, with its learning rate `lr` at the top of the schedule.

    `decay` says which parameters weight decay pulls at: all, or the weights alone, without biases
    and what else has one dimension, as in timm. `betas` and `eps` are AdamW's; `momentum`, without
    Nesterov's correction, is SGD's.
    """

    name: Literal["adamw", "sgd"] = "adamw"
    lr: Above0
    weight_decay: NotNegative = 0.0
    decay: Literal["weights", "all"] = "weights"
    betas: Annotated[list[PartOfOne], Field(min_length=2, max_length=2)] = [0.9, 0.999]
    eps: Above0 = 1e-8
    momentum: PartOfOne = 0.9

    @model_validator(mode="after")
    def _its_own(self) -> Optimizer:
        others = {"adamw": ("momentum",), "sgd": ("betas", "eps")}[self.name]
        for other in others:
            if other in self.model_fields_set:
                raise ValueError(f"{self.name} has no {other}; leave it out")
        return self


class Schedule(Strict):
    """How the learning rate goes: see `training.schedule`. `warmup` is a share of the training
    that precedes a cosine or a constant rate."""

    name: Literal["one-cycle", "cosine", "constant"] = "one-cycle"
    warmup: Share = 0.0

    @model_validator(mode="after")
    def _one_warmup(self) -> Schedule:
        if self.name == "one-cycle" and self.warmup:
            raise ValueError("one-cycle begins with a warm-up of its own; leave warmup out")
        return self


class Crop(Strict):
    """A random crop: its area as a share of the image, and its width over its height.

    It is resized by `interpolation`: `random` draws bilinear or bicubic for each image; without
    one it is that of the evaluation.
    """

    scale: _Range = [0.08, 1.0]
    ratio: _Range = [3 / 4, 4 / 3]
    interpolation: Literal["bilinear", "bicubic", "random"] | None = None

    @model_validator(mode="after")
    def _ranges(self) -> Crop:
        for name, (low, high) in (("scale", self.scale), ("ratio", self.ratio)):
            if low > high:
                raise ValueError(f"{name} goes from {low:g} down to {high:g}; turn it round")
        if self.scale[1] > 1:
            raise ValueError(f"scale is a share of the image's area, got {self.scale[1]:g}")
        return self


class Augmentation(Strict):
    """What is done to each image, in timm's words. Nothing is by default: every part is named.

    Without a `crop` an image is resized and cut as it is to be evaluated. `flip` is the probability
    of a mirror image, `random_erasing` that of a rectangle of noise, `color_jitter` the largest
    change of brightness, contrast and saturation; `rand_augment` such as `rand-m9-mstd0.5-inc1`.
    """

    crop: Crop | None = None
    flip: Share = 0.0
    color_jitter: NotNegative = 0.0
    rand_augment: Annotated[Label, AfterValidator(_rand_augment)] | None = None
    random_erasing: Share = 0.0

    @model_validator(mode="after")
    def _one_of_colour(self) -> Augmentation:
        if self.color_jitter and self.rand_augment:
            raise ValueError("timm ignores color_jitter if rand_augment is set; keep one")
        return self


def _no_number(value: object) -> object:
    if type(value) in (int, float):  # 1 equals True
        raise ValueError(f"expected true, false or bf16, got {show(value)}")
    return value


class Recipe(Strict):
    """A whole recipe; each part left out is switched off.

    `batch_size` is that of all processes together; images that do not fill a last batch are left
    out of that epoch. `mixup` and `cutmix` are the alphas of their distributions; with both, each
    batch draws one of the two. `clip_grad_norm` is the largest norm of all gradients together.
    With `amp` CUDA computes in fp16 with a scaled loss, or in `bf16`; a CPU as without.
    `channels_last` says how weights and images lie in memory, which is faster for some models and
    changes results by rounding. `batch_norm` of several processes is over the images of all of
    them (`shared`), or of each its `own`, as DistributedDataParallel has it.
    """

    name: Name
    about: Label | None = None
    epochs: Positive
    batch_size: Positive
    optimizer: Optimizer
    schedule: Schedule = Schedule()
    augmentation: Augmentation = Augmentation()
    mixup: NotNegative = 0.0
    cutmix: NotNegative = 0.0
    label_smoothing: PartOfOne = 0.0
    clip_grad_norm: Above0 | None = None
    amp: Annotated[Literal[False, True, "bf16"], BeforeValidator(_no_number)] = False
    channels_last: bool = False
    batch_norm: Literal["own", "shared"] = "shared"

    @model_validator(mode="after")
    def _pairs(self) -> Recipe:
        if self.mixes and self.batch_size % 2:
            raise ValueError(f"mixup and cutmix mix pairs: batch_size {self.batch_size} is odd")
        return self

    @property
    def mixes(self) -> bool:
        """Whether images of a batch are mixed with each other."""
        return self.mixup > 0 or self.cutmix > 0


def find(named: str, base: Path, trusted: bool) -> Path:
    """The file of a recipe: a path that starts at `base`, the suite's folder, or the name of one
    that comes along.

    Raises:
        SuiteError: there is neither, or it lies elsewhere and the suite is not `trusted`.
    """
    path, known = trust.locate(named, base, trusted), shipped.recipes()
    if (file := shipped.find(path, named, known)) is not None:
        return file
    raise SuiteError(
        f"no file {quote(named)} in {base}, and no shipped recipe has that name"
        f"{shipped.suggest(path, known)} (known: {', '.join(sorted(known))})"
    )


def load(path: Path) -> Recipe:
    """The recipe in a file.

    Raises:
        SuiteError: with file, line, column, what was expected, and the nearest valid word.
    """
    source = document.read(path)
    return validate(Recipe, source, source.value)
