"""The kinds of work in a forward pass, and the cost of each."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

OTHER = "other"
# By their keys in records, in the order in which reports show them.
KINDS: Mapping[str, str] = {
    "depthwise": "Depthwise convolutions",
    "convolution": "Pointwise and other convolutions",
    "attention": "Attention",
    "linear": "Linear layers",
    OTHER: "Everything else",
}


@dataclass(frozen=True, slots=True)
class Work:
    """What one kind of work costs for one image.

    `bytes` are those that its operators must at least move: inputs and weights read once, outputs
    written once. Of everything else only the time is known.
    """

    kind: str
    macs: float
    bytes: float
    seconds: float

    @property
    def intensity(self) -> float | None:
        """MACs a byte; None where no byte was counted."""
        return self.macs / self.bytes if self.bytes else None

    @property
    def rate(self) -> float:
        """MACs a second."""
        return self.macs / self.seconds


def read(details: Mapping[str, Any], batch_size: int) -> Iterator[Work]:
    """What the details of a `roofline` record say, for one image: medians over its passes."""
    for kind in KINDS:
        if work := details["work"].get(kind):
            seconds = statistics.median(work["seconds"])
            yield Work(kind, *(one / batch_size for one in (work["macs"], work["bytes"], seconds)))
