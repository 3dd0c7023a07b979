"""The images on which an int8 model is calibrated, and which none is evaluated on.

Measures know no data sets: whoever calls one says where the images come from, see
`accuracy.calibrating`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from cmx_bench.errors import SkipError


@dataclass(frozen=True, slots=True)
class Calibration:
    """Images `(n, 3, H, W)`, fp32, as the model wants to see them, and where they are from."""

    images: Tensor
    source: str

    @property
    def told(self) -> Mapping[str, str | int]:
        """What a record says of them."""
        digest = hashlib.sha256(self.images.numpy().tobytes()).hexdigest()
        return {"source": self.source, "images": len(self.images), "sha256": digest[:16]}

    def batches(self, size: int) -> list[Tensor]:
        """All images in batches of one size: the last is filled up with the first ones."""
        numbers = torch.arange(-(-len(self.images) // size) * size) % len(self.images)
        return [*torch.split(self.images[numbers], size)]


# Images of one side, in pixels; made where a model is calibrated, and not before.
Source: TypeAlias = Callable[[int], Calibration]
_SOURCE: ContextVar[Source | None] = ContextVar("calibration", default=None)


@contextmanager
def giving(source: Source) -> Iterator[None]:
    """Has models be calibrated on the images of a source within the context."""
    token = _SOURCE.set(source)
    try:
        yield
    finally:
        _SOURCE.reset(token)


def images(size: int) -> Calibration:
    """The images to calibrate on.

    Raises:
        SkipError: nobody gives any.
        DataError: they cannot be had.
    """
    source = _SOURCE.get()
    if source is None:
        raise SkipError("int8 needs images to calibrate on: measure it with run")
    return source(size)
