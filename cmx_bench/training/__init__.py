"""Models trained with one recipe: `schedule` the learning rate · `batches` which images, in which
order, how changed · `loop` the steps · `checkpoints` what is kept, so that a training goes on ·
`orphans` how no process outlives it.

Every draw is derived from the seed and its place (the epoch, the step, the image), and from
nothing before it: a training that goes on draws what it would have drawn, and several processes
draw what one would.
"""

from __future__ import annotations

import hashlib


def derive(*parts: int | str) -> int:
    """A seed of 32 bits for the draws of one place."""
    text = " ".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big")
