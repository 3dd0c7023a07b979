"""The protocol of a family's members: their parts, their cost, and their neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cmx_bench.cell import Argument

WIDTHS = (*range(2, 64, 2), *range(64, 4097, 4))


class Axis(NamedTuple):
    """One way in which members of a family differ: the size of the difference, and its text."""

    size: float
    text: str

    @classmethod
    def of(cls, number: int) -> Axis:
        return cls(number, str(number))


@dataclass(frozen=True, slots=True)
class Row:
    """Members that differ in one respect only: `make` of each step, the smallest first."""

    make: Callable[[int], Design]
    steps: Sequence[int]


class Design(Protocol):
    """A member of a family. Frozen, and equal to another where all of it is equal."""

    @property
    def name(self) -> str:
        """A name for it that says all that it is made of."""

    @property
    def label(self) -> str:
        """What a table calls it."""

    @property
    def patch_size(self) -> int:
        """The side of its patches, and of the smallest image; 1 where it cuts none."""

    @property
    def arguments(self) -> dict[str, Argument]:
        """The member's keys in a suite, from which a builder makes the module."""

    @property
    def axes(self) -> Mapping[str, Axis]:
        """In what it may differ from a published member, independent of one another."""

    def rows(self) -> Iterator[Row]:
        """The members by the rules of this published one, itself among them."""

    def params(self, classes: int, image_size: int) -> int:
        """Elements of all its parameters, by a closed form."""

    def macs(self, classes: int, image_size: int) -> int:
        """Its multiply-accumulates for one image, by a closed form."""


def depths(published: int) -> range:
    """The depths to try around a published one: from two thirds of it to one and a half times."""
    return range(-(-2 * published // 3), 3 * published // 2 + 1)


def tokens(image_size: int, patch_size: int) -> int:
    """How many patches an image is cut into; what is left over at its edge is dropped."""
    return (image_size // patch_size) ** 2
