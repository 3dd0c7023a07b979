"""What papers and timm report about the suite's models: each figure with its source and grade."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib import resources

import pandas as pd

from cmx_bench.cell import Model

GRADES: Mapping[str, str] = {
    "A": "the authors' own words, outside the PDF",
    "C": "a third party's transcription of the paper, not checked against the PDF",
    "F": "read off the paper's Figure 1, not printed anywhere",
    "T": "timm's results files",
    "M": "from memory, not checked against the PDF",
}
# Figures of these grades carry a mark wherever they are shown.
DOUBTFUL = frozenset("CFM")

# timm's weights nearest to the paper's training: ImageNet-1k alone and no teacher where there are
# such, one recipe for all ResNets (gluon's resnet152 is nearest to the paper's 79.64 %).
_NAMES_BY_TAG = {
    "in1k": "convmixer_1536_20 convmixer_768_32 convmixer_1024_20_ks9_p14",
    "gluon_in1k": "resnet50 resnet101 resnet152",
    "fb_in1k": "deit_tiny_patch16_224 deit_small_patch16_224 deit_base_patch16_224 "
               "resmlp_12_224 resmlp_24_224 resmlp_36_224 resmlp_big_24_224",
    "augreg_in1k": "vit_base_patch16_224",
    "goog_in21k_ft_in1k": "mixer_b16_224 mixer_l16_224",
    "ms_in1k": "swin_tiny_patch4_window7_224 swin_small_patch4_window7_224 "
               "swin_base_patch4_window7_224",
}  # fmt: skip
REFERENCE_TAGS: Mapping[str, str] = {
    name: tag for tag, names in _NAMES_BY_TAG.items() for name in names.split()
}

# What fvcore's raw counts of MACs, which timm lists, get wrong: the variant of such a figure, and
# by which shares a true count differs from it.
COUNTING_ERRORS: Mapping[str, tuple[float, float]] = {
    "leaves out padding='same' convolutions": (0.03, 0.10),
    "leaves out fused attention": (0.02, 0.20),
    "counts norms": (-0.01, 0.0),
}

# How a printed unit becomes a base unit: its name and the power of ten.
_BASE_UNITS = {"%": ("", -2), "pt": ("", -2), "M": ("", 6), "G": ("MAC", 9)}


@dataclass(frozen=True, slots=True)
class Published:
    """One published figure.

    `model` is the timm name of the architecture, `tag` timm's name of the weights (empty for the
    paper's figures). `printed` is the text as printed, `printed_unit` its unit; `value` is in
    base units (count, images/s, fraction, pixels, epochs), None for a word such as an activation.
    `dataset` and `image_size` say what it was evaluated on, where that matters.
    """

    model: str
    tag: str
    label: str
    variant: str
    quantity: str
    printed: str
    printed_unit: str
    value: float | None
    unit: str
    dataset: str
    image_size: int | None
    conditions: str
    source: str
    grade: str

    @property
    def doubtful(self) -> bool:
        """Whether nobody has checked the figure against its source: it must be shown marked."""
        return self.grade in DOUBTFUL


@cache
def figures() -> tuple[Published, ...]:
    """All published figures, in the order of the file."""
    with (resources.files(__name__) / "figures.csv").open(encoding="utf-8") as file:
        frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    return tuple(map(_figure, frame.rename(columns={"unit": "printed_unit"}).to_dict("records")))


def _figure(row: Mapping[Hashable, str]) -> Published:
    unit, power = _BASE_UNITS.get(row["printed_unit"], (row["printed_unit"], 0))
    value = None
    with suppress(InvalidOperation):
        # Decimal: 81.37 % is the float nearest to 0.8137, not 81.37 / 100.
        value = float(Decimal(row["printed"]).scaleb(power))
    texts = {str(name): text for name, text in row.items() if name != "image_size"}
    size = int(row["image_size"]) if row["image_size"] else None
    return Published(**texts, unit=unit, value=value, image_size=size)


@cache
def of(model: str) -> tuple[Published, ...]:
    """Everything published about the architecture of this timm name."""
    return tuple(figure for figure in figures() if figure.model == model)


def find(model: str, quantity: str, tag: str = "", image_size: int = 224) -> Published | None:
    """The figure for `quantity` of a model; None where it is unknown.

    Args:
        model: timm's name of the architecture.
        quantity: patch_size, kernel_size, activation, epochs, params, throughput, top1 or top5.
        tag: timm's name of the weights, for timm's own results; without it, the paper's figure.
        image_size: pixels; figures that do not depend on it are found for any.
    """
    for figure in of(model):
        same = (figure.quantity, figure.tag, figure.variant) == (quantity, tag, "")
        if same and figure.image_size in (None, image_size):
            return figure
    return None


def name_of(model: Model) -> str:
    """The name under which figures of exactly this model are published, or an empty one, as for an
    optimised model."""
    if model.source == "timm":
        return "" if model.args or model.optimised else model.target.partition(".")[0]
    if model.source != "convmixer" or model.optimised:
        return ""
    # A user's own ConvMixer may be called like the paper's and be another.
    args, name = model.args, model.target or model.name
    own = f"convmixer_{args.get('dim')}_{args.get('depth')}"
    if args.get("norm", "batch") != "batch" or args.get("residual", "depthwise") != "depthwise":
        return ""
    if name != own and not name.startswith(f"{own}_"):
        return ""
    for quantity in ("patch_size", "kernel_size", "activation"):
        figure, argument = find(name, quantity), args.get(quantity)
        if figure and argument is not None and figure.printed.lower() != str(argument).lower():
            return ""
    return name


# The data set that a head of so many classes belongs to, for published figures.
_DATASETS = {1000: "ImageNet-1k", 10: "CIFAR-10"}


@dataclass(frozen=True, slots=True)
class Counterparts:
    """What is published about one model: by quantity, from the paper and from timm.

    `counts` are its MACs as timm's benchmarks list them, which count differently by torch version.
    """

    paper: Mapping[str, Published]
    timm: Mapping[str, Published]
    counts: tuple[Published, ...]

    @property
    def figures(self) -> tuple[Published, ...]:
        return (*self.paper.values(), *self.timm.values(), *self.counts)


def counterparts(model: Model) -> Counterparts:
    """What is published about exactly this model; nothing for a variation of a published one."""
    name = name_of(model)
    datasets = ("", _DATASETS.get(model.num_classes))
    figures = [figure for figure in of(name) if figure.dataset in datasets]
    tag = model.recipe or model.weights or REFERENCE_TAGS.get(name)
    return Counterparts(
        {figure.quantity: figure for figure in figures if not figure.tag and not figure.variant},
        {
            figure.quantity: figure
            for figure in figures
            if figure.tag == tag and figure.image_size == 224
        },
        tuple(figure for figure in figures if figure.quantity == "macs"),
    )


# How parts of timm's tags begin that name more data than ImageNet-1k, and those that name a teacher
# (Noisy Student, SSLD and USI are ways of having one).
_DATA = (
    "in12k", "in21k", "in22k", "inw21k", "ig", "jft", "yfcc", "laion", "openai", "clip", "metaclip",
    "mclip", "tinyclip", "lvd", "datacomp", "dfn", "webli", "merged", "m30m", "m38m", "cc12m",
    "seer", "swag", "sa1b", "sat493m", "bamboo", "ogvl", "6m",
)  # fmt: skip
_TEACHERS = frozenset(("distilled", "dist", "ns", "ssld", "usi"))


def extra_data(tag: str) -> bool:
    """Whether the weights of a timm tag have seen more than ImageNet-1k."""
    return any(part.startswith(_DATA) for part in tag.split("_"))


def is_distilled(tag: str, architecture: str = "") -> bool:
    """Whether the weights of a timm tag had a teacher, which some architectures always have."""
    return "distilled" in architecture or bool(_TEACHERS & set(tag.split("_")))


def extra_training(tag: str) -> bool:
    """Whether the weights of a timm tag have seen more than ImageNet-1k alone, or a teacher."""
    return extra_data(tag) or is_distilled(tag)
