"""Chunks of images: shared and bounded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from timm.data import create_dataset, create_transform

from cmx_bench.accuracy.decoding import Chunk, chunks
from cmx_bench.accuracy.preprocessing import Geometry
from cmx_bench.datasets import open_dataset

from ..photographs import write

SMALL = Geometry(32, 0.9, "center", "bicubic")
SQUASHED = Geometry(48, 1.0, "squash", "bilinear")
BORDERED = Geometry(40, 0.875, "border", "bicubic", (0.5, 0.2, 0.1))


def decode(images: Path, *geometries: Geometry, **options: Any) -> list[Chunk]:
    settings = {"size": 4, "start": 0, "threads": 2, "folder": None} | options
    return list(chunks(open_dataset("photos", images), geometries, **settings))


def test_pixels_are_timms(tmp_path: Path) -> None:
    write(tmp_path, 10)
    decoded = decode(tmp_path, SMALL, SQUASHED, BORDERED)
    assert [(chunk.first, len(chunk.items)) for chunk in decoded] == [(0, 4), (4, 4), (8, 2)]
    for geometry in (SMALL, SQUASHED, BORDERED):
        transform = create_transform(
            geometry.image_size, crop_pct=geometry.crop_pct, crop_mode=geometry.crop_mode,
            interpolation=geometry.interpolation, mean=geometry.fill or (0, 0, 0),
            use_prefetcher=True,
        )  # fmt: skip
        dataset = create_dataset("", str(tmp_path))
        dataset.transform = transform
        theirs = torch.stack([torch.as_tensor(dataset[index][0]) for index in range(10)])
        assert torch.equal(torch.cat([chunk.pixels[geometry] for chunk in decoded]), theirs)


def test_an_image_is_read_once_however_many_want_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 6)
    read: list[str] = []
    monkeypatch.setattr(Path, "read_bytes", note_reads(Path.read_bytes, read))
    decode(tmp_path, SMALL, SQUASHED)
    assert len(read) == len(set(read)) == 6


def note_reads(function: Any, names: list[str]) -> Any:
    def call(self: Path) -> bytes:
        names.append(self.name)
        content: bytes = function(self)
        return content

    return call


def test_what_is_done_is_passed_over_without_decoding(tmp_path: Path) -> None:
    write(tmp_path, 10)
    decoded = decode(tmp_path, SMALL, start=8)
    assert [len(chunk.pixels) for chunk in decoded] == [0, 0, 1]
    assert [len(chunk.items) for chunk in decoded] == [4, 4, 2]  # but listed
    digests = [chunk.digests for chunk in decode(tmp_path, SMALL)]
    assert [chunk.digests for chunk in decoded] == digests


def test_broken_images_keep_their_places(tmp_path: Path) -> None:
    files = sorted(write(tmp_path, 6))
    files[1].write_bytes(files[1].read_bytes()[:300])
    files[4].unlink()
    files[4].symlink_to("nowhere.jpg")
    (chunk,) = decode(tmp_path, SMALL, size=8)
    assert sorted(chunk.broken) == [1, 4]
    assert chunk.broken[4].startswith("FileNotFoundError")
    assert [bool(digest) for digest in chunk.digests] == [True] * 4 + [False, True]
    assert len(chunk.pixels[SMALL]) == 4


def test_a_chunk_with_nothing_whole_has_no_pixels(tmp_path: Path) -> None:
    for file in write(tmp_path, 6):
        file.write_bytes(b"")
    (chunk,) = decode(tmp_path, SMALL, size=8)
    assert chunk.pixels[SMALL].shape == (0, 3, 32, 32)
    assert len(chunk.broken) == 6


def same(decoded: list[Chunk], other: list[Chunk]) -> bool:
    return all(
        torch.equal(a.pixels[SMALL], b.pixels[SMALL]) for a, b in zip(decoded, other, strict=True)
    )
