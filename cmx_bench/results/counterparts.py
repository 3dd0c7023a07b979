"""The published figures of a model, if it is the published model and no variation of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cmx_bench import published
from cmx_bench.cell import Model
from cmx_bench.published import Published

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
    name = published.name_of(model)
    datasets = ("", _DATASETS.get(model.num_classes))
    figures = [figure for figure in published.of(name) if figure.dataset in datasets]
    tag = model.recipe or model.weights or published.REFERENCE_TAGS.get(name)
    return Counterparts(
        {figure.quantity: figure for figure in figures if not figure.tag and not figure.variant},
        {
            figure.quantity: figure
            for figure in figures
            if figure.tag == tag and figure.image_size == 224
        },
        tuple(figure for figure in figures if figure.quantity == "macs"),
    )
