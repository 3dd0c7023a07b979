"""Real photographs for tests and benchmarks: those that scikit-learn and scikit-image carry."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_images

# Of ImageNet-1k, one for each photograph, so that there is something to learn.
CLASSES = ("n01440764", "n02123045", "n02504013", "n07930864", "n11939491", "n13054560")
_ORIENTATION = 0x0112


@cache
def originals() -> tuple[Image.Image, ...]:
    """Photographs of 300 × 451 to 512 × 640 pixels, in colour."""
    scikit_image = [data.astronaut(), data.chelsea(), data.coffee(), data.rocket()]
    return tuple(
        Image.fromarray(pixels) for pixels in [*load_sample_images().images, *scikit_image]
    )


def crops(count: int, width: int, height: int, seed: int = 0) -> Iterator[Image.Image]:
    """Different pieces of the photographs, at different scales, resized to one size."""
    rng = random.Random(seed)
    for number in range(count):
        image = originals()[number % len(originals())]
        share = rng.uniform(0.5, 1.0)
        w, h = (int(side * share) for side in image.size)
        left, top = rng.randint(0, image.width - w), rng.randint(0, image.height - h)
        yield image.resize(
            (width, height), Image.Resampling.BICUBIC, (left, top, left + w, top + h)
        )


def write(folder: Path, count: int, width: int = 160, height: int = 120) -> list[Path]:
    """`count` JPEG images in a folder for each of `CLASSES`."""
    files = []
    for number, image in enumerate(crops(count, width, height)):
        file = folder / CLASSES[number % len(CLASSES)] / f"{number:05d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        image.save(file, quality=90)
        files.append(file)
    return files


def swap(file: Path) -> None:
    """Puts another image into a file; its name, its size and its times stay."""
    before, other = file.stat(), io.BytesIO()
    with Image.open(file) as image:
        Image.new("RGB", image.size, "red").save(other, image.format)
    content = other.getvalue().ljust(before.st_size, b"\0")
    assert len(content) == before.st_size
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def write_odd(folder: Path) -> list[Path]:
    """Images of every kind that a data set holds, one of each, all in the first class's folder."""
    image = next(crops(1, 150, 110, seed=1))
    turned = Image.Exif()
    turned[_ORIENTATION] = 6
    alpha = image.copy()
    alpha.putalpha(Image.fromarray(np.tile(np.arange(150, dtype=np.uint8), (110, 1))))
    folder = folder / CLASSES[0]
    folder.mkdir(parents=True, exist_ok=True)
    grey = image.convert("L")
    saved = {
        "grey.jpg": (grey, {}),
        "grey16.png": (Image.fromarray(np.asarray(grey).astype(np.uint16)), {}),
        "cmyk.jpg": (image.convert("CMYK"), {}),
        "alpha.png": (alpha, {}),
        "grey-alpha.png": (alpha.convert("LA"), {}),
        "palette.png": (image.quantize(64), {"transparency": 3}),
        "bilevel.png": (image.convert("1"), {}),
        "turned.jpg": (image, {"exif": turned.tobytes()}),
        "progressive.jpg": (image, {"progressive": True, "quality": 60}),
        "one-row.png": (image.resize((150, 1)), {}),
        "one-column.jpg": (image.resize((1, 90)), {}),
        "pixel.png": (image.resize((1, 1)), {}),
    }
    for name, (picture, options) in saved.items():
        picture.save(folder / name, **options)  # type: ignore[arg-type]
    return [folder / name for name in saved]
