"""Data sets that timm's factory reads by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from cmx_bench.datasets import factory, open_dataset
from cmx_bench.errors import DataError

from ..photographs import write


def test_a_stream_that_breaks_is_told_with_its_place() -> None:
    def source() -> Iterator[tuple[Image.Image, int | None]]:
        yield Image.new("RGB", (8, 8)), None
        raise OSError("gone")

    stream = factory._stream("wds/x", source())  # type: ignore[arg-type]
    assert next(stream).label == -1
    with pytest.raises(DataError, match="wds/x: image 1 cannot be read: gone"):
        next(stream)


def test_timms_factory_reads_torchvisions(tmp_path: Path) -> None:
    write(tmp_path, 6)
    items = list(open_dataset("torch/image_folder", tmp_path).items())
    assert [item.label for item in items] == [0, 1, 2, 3, 4, 5]
    assert isinstance(items[0].read(), Image.Image)


def test_a_broken_image_of_a_factory_raises_when_it_is_read(tmp_path: Path) -> None:
    broken = write(tmp_path, 6)[2]
    broken.write_bytes(b"no image")
    items = list(open_dataset("torch/image_folder", tmp_path).items())
    assert [item.label for item in items] == [0, 1, -1, 3, 4, 5]
    with pytest.raises(OSError, match="cannot identify"):
        items[2].read()


def test_what_the_factory_cannot_read_is_told() -> None:
    with pytest.raises(DataError, match=r"torch/nothing: timm cannot read this data set"):
        open_dataset("torch/nothing", None)


@pytest.mark.parametrize("label", ["cat", 1.5, [1, 2], "3"])
def test_labels_that_are_no_numbers_of_classes_are_told(label: object) -> None:
    """Nothing a source has by chance under this name is taken for a class."""
    pairs = [(Image.new("RGB", (8, 8)), label)]
    with pytest.raises(DataError, match="is no label; expected the number of a class for each"):
        list(factory.of_pairs("hfds/x", pairs).items())
