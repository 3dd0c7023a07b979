"""The folder of a command in the temporary folder, and what killed ones left there."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cmx_bench.errors import CmxError
from cmx_bench.measures import compiled
from cmx_bench.worker import scratch

MADE = "from cmx_bench.worker import scratch; print(scratch.folder(), flush=True); "


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:  # a short path, for it may hold sockets
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def command(rest: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-c", MADE + rest]
    return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def made_by(process: subprocess.Popen[str]) -> Path:
    assert process.stdout is not None
    return Path(process.stdout.readline().strip())


def test_it_goes_with_its_command(temporary: Path) -> None:
    with command("(scratch.folder() / 'file').touch()") as process:
        assert made_by(process).parent == temporary
    assert list(temporary.iterdir()) == []


def test_what_a_killed_command_left_is_swept_and_nothing_else(temporary: Path) -> None:
    (temporary / "elsewhere").mkdir()
    (temporary / "cmx-scratch-link").symlink_to(temporary / "elsewhere")
    with command("input()") as living, command("input()") as killed:
        lives, left = made_by(living), made_by(killed)
        killed.kill()
        killed.wait()
        assert left.is_dir()
        with command("") as later:
            made_by(later)
        assert lives.is_dir()
        assert not left.exists()
        living.communicate("\n")
    assert sorted(path.name for path in temporary.iterdir()) == ["cmx-scratch-link", "elsewhere"]


def test_it_may_be_gone_before_its_command(temporary: Path) -> None:
    """Where the system cleans its temporary folder; multiprocessing has none of its own there."""
    rest = (
        "import multiprocessing.util, shutil; shutil.rmtree(scratch.folder()); "
        "assert multiprocessing.util.get_temp_dir() == str(scratch.folder())"
    )
    line = [sys.executable, "-c", MADE + rest]
    ended = subprocess.run(line, capture_output=True, text=True, check=True)
    assert ended.stderr == ""


def test_servers_share_it(temporary: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", MADE], env=os.environ | {"CMX_SCRATCH": str(temporary)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ended.stdout == f"{temporary}\n"
    assert list(temporary.iterdir()) == []


def test_no_folder_for_temporary_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make = scratch.folder.__wrapped__

    def fail() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", fail)
    with pytest.raises(CmxError, match=r"can be written \(No usable .*\); set TMPDIR to"):
        make()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / ("z" * 100)))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(CmxError, match=r"TMPDIR: \S+ is longer than 50 bytes, and /tmp"):
        make()


def test_a_folder_of_the_users_for_compiled_code_that_cannot_be_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """torch makes it while it is loaded, and would end every process with a traceback."""
    monkeypatch.setenv(compiled.INDUCTOR, "/proc/nowhere")
    with pytest.raises(CmxError, match="TORCHINDUCTOR_CACHE_DIR=/proc/nowhere: cannot be made: No"):
        scratch.variables()
    monkeypatch.setenv(compiled.INDUCTOR, str(tmp_path / "new"))
    assert scratch.variables()[compiled.INDUCTOR] == str(tmp_path / "new")
    assert (tmp_path / "new").is_dir()
    monkeypatch.setenv(compiled.INDUCTOR, "")
    assert scratch.variables()[compiled.INDUCTOR] == str(scratch.folder() / "inductor")
