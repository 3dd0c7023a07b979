"""States and weights on the disk: read as written, or refused."""

from __future__ import annotations

import errno
import resource
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cmx_bench.errors import WeightsError
from cmx_bench.training import checkpoints


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    assert checkpoints.read_state(path) is None
    state = {"done": 3, "weight": torch.arange(4.0), "curve": [{"top1": 0.5}]}
    checkpoints.write_state(path, state)
    read = checkpoints.read_state(path)
    assert read is not None
    assert torch.equal(read.pop("weight"), torch.arange(4.0))
    assert read == {"done": 3, "curve": [{"top1": 0.5}]}
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]  # no draft is left


@pytest.mark.parametrize("content", [b"", b"no state", b"PK\x03\x04"])
def test_a_damaged_state_says_how_to_begin_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"state\.pt: cannot be read as .* add --fresh$"):
        checkpoints.read_state(path)


def test_weights_are_written_whole_whatever_their_layout(tmp_path: Path) -> None:
    turned = torch.arange(24.0).view(1, 2, 3, 4).to(memory_format=torch.channels_last)
    checkpoints.write_weights(tmp_path / "wéights.safetensors", {"conv": turned})
    assert torch.equal(load_file(tmp_path / "wéights.safetensors")["conv"], turned)


@pytest.fixture
def small_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("write", [checkpoints.write_state, checkpoints.write_weights])
def test_what_has_no_room_says_so(
    tmp_path: Path, write: Callable[[Path, Mapping[str, torch.Tensor]], None]
) -> None:
    with pytest.raises(OSError) as refused:
        write(tmp_path / "file", {"weight": torch.zeros(2**20)})
    assert refused.value.errno == errno.EFBIG
    assert list(tmp_path.iterdir()) == []
