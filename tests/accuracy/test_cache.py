"""Preprocessed images, found by the content of their files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cmx_bench.accuracy import cache
from cmx_bench.accuracy.decoding import chunks
from cmx_bench.datasets import open_dataset

from ..photographs import write
from .test_decoding import SMALL, SQUASHED, decode, same


def test_the_cache_follows_content_not_names(tmp_path: Path) -> None:
    images, folder = tmp_path / "images", tmp_path / "cache"
    folder.mkdir()
    files = sorted(write(images, 8))
    whole = decode(images, SMALL, folder=folder)
    kept = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(kept) == 2
    assert same(decode(images, SMALL, folder=folder), whole)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == kept  # only read

    files[0].write_bytes(files[6].read_bytes())  # another image under the same name
    changed = decode(images, SMALL, folder=folder)
    assert not torch.equal(changed[0].pixels[SMALL][0], whole[0].pixels[SMALL][0])
    assert same(changed, decode(images, SMALL))
    assert len(list(folder.iterdir())) == 3
    decode(images, SQUASHED, folder=folder)
    assert len(list(folder.iterdir())) == 5


def test_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    images, folder = tmp_path / "images", tmp_path / "cache"
    folder.mkdir()
    write(images, 8)
    whole = decode(images, SMALL, folder=folder)
    first, second = sorted(folder.iterdir())
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1  # a single bit
    first.write_bytes(content)
    second.write_bytes(second.read_bytes()[:1000])
    assert same(decode(images, SMALL, folder=folder), whole)
    assert same(decode(images, SMALL, folder=folder), whole)


def test_another_library_is_another_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = [cache.digest(b"one"), cache.digest(b"two")]
    before = cache.path(tmp_path, digests, SMALL)
    assert cache.path(tmp_path, digests[::-1], SMALL) != before
    monkeypatch.setattr(cache, "_versions", lambda: "pillow 99")
    assert cache.path(tmp_path, digests, SMALL) != before


def test_images_without_files_are_not_cached(tmp_path: Path) -> None:
    dataset = open_dataset("digits", None)
    chunk = next(chunks(dataset, [SMALL], 16, 0, 2, tmp_path))
    assert len(set(chunk.digests)) == 16
    assert chunk.pixels[SMALL].shape == (16, 3, 32, 32)
    assert not list(tmp_path.iterdir())
