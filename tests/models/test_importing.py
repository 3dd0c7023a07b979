"""Which file a user's model comes from, and what is said of it."""

from __future__ import annotations

import hashlib
import py_compile
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch  # it stays in sys.modules: no process can import it twice

from cmx_bench.models import importing

NAMES = ("own_net", "own_package", "own_layers", "seaborn", "queue", "own_data", "own_installed")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules of one test are not those of the next."""
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(sys, "path", [*sys.path])
    modules = dict(sys.modules)
    for name in [module for module in sys.modules if module.partition(".")[0] in NAMES]:
        del sys.modules[name]
    yield
    sys.modules.clear()
    sys.modules.update(modules)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The working folder, and another on the import path."""
    here, other = tmp_path / "here", tmp_path / "site"
    here.mkdir()
    other.mkdir()
    monkeypatch.chdir(here)
    sys.path.insert(0, str(other))
    return here, other


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_working_folder_comes_first(folders: tuple[Path, Path]) -> None:
    here, other = folders
    digest = write(here / "own_net.py", "import own_layers\nwhere = 'here'\n")
    write(other / "own_net.py", "where = 'other'\n")
    write(other / "own_layers.py", "")
    assert importing.module_of("own_net").where == "here"
    assert importing.origin("own_net:build") == {"file": "own_net.py", "sha256": digest}


def test_the_working_folder_comes_last_for_a_side(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, other = folders
    monkeypatch.setenv(importing.LAST, "1")
    write(here / "own_net.py", "where = 'here'\n")
    write(here / "own_layers.py", "where = 'here'\n")
    digest = write(other / "own_net.py", "where = 'other'\n")
    assert importing.module_of("own_net").where == "other"
    assert importing.origin("own_net:build") == {"file": "site/own_net.py", "sha256": digest}
    assert importing.module_of("own_layers").where == "here"


def test_what_is_needed_is_never_taken_from_the_working_folder(folders: tuple[Path, Path]) -> None:
    here, _ = folders
    for name in ("seaborn/__init__.py", "queue.py", "torch.py", "cmx_bench/__init__.py"):
        write(here / name, "raise RuntimeError('the wrong one')\n")
    write(here / "own_net.py", "import queue, seaborn, torch, cmx_bench\n")
    importing.module_of("own_net")
    with pytest.raises(ImportError, match="queue.py in the working folder is called like a module"):
        importing.module_of("queue")
    with pytest.raises(ImportError, match=r"seaborn/__init__.py in the working folder is called"):
        importing.module_of("seaborn")


def test_a_folder_without_code_hides_no_package(folders: tuple[Path, Path]) -> None:
    here, other = folders
    write(here / "own_data" / "image.txt", "")
    write(other / "own_data" / "__init__.py", "where = 'other'\n")
    assert importing.module_of("own_data").where == "other"


def test_the_hash_is_of_all_that_the_text_imports_from_the_folder(
    folders: tuple[Path, Path],
) -> None:
    here, _ = folders
    write(here / "own_package" / "__init__.py", "")
    write(here / "own_package" / "nets" / "__init__.py", "")
    write(here / "own_package" / "nets" / "net.py", "from ..parts import norm\nimport torch\n")
    write(here / "own_package" / "parts" / "__init__.py", "")
    write(here / "own_package" / "parts" / "norm.py", "def f():\n    import own_layers\n")
    write(here / "own_package" / "unused.py", "")
    write(here / "own_layers.py", "size = 3\n")

    def origin() -> dict[str, str]:
        importing.module_of("own_package.nets.net")
        return dict(importing.origin("own_package.nets.net:build"))

    first = origin()
    assert first["file"] == "own_package/nets/net.py"
    assert origin() == first
    write(here / "own_package" / "unused.py", "changed = True\n")
    assert origin() == first
    for file in ("own_layers.py", "own_package/parts/norm.py", "own_package/__init__.py"):
        before = origin()
        with (here / file).open("a") as opened:
            opened.write("# changed\n")
        assert origin()["sha256"] != before["sha256"]


TEXT = """
import importlib, json
from pathlib import Path
width = importlib.import_module("own_layers").width
depth = json.loads(Path(__file__).with_name("own_data.json").read_text())
heads = len(open(Path(__file__).with_name(f"own_{'heads'}")).read())
"""


@pytest.mark.parametrize("changed", ["own_layers.py", "own_data.json", "own_heads"])
def test_the_hash_is_of_what_is_imported_by_name_and_of_what_is_read(
    folders: tuple[Path, Path], changed: str
) -> None:
    here, _ = folders
    write(here / "own_net.py", TEXT)
    write(here / "own_layers.py", "width = 3\n")
    write(here / "own_data.json", "3")
    write(here / "own_heads", "3")
    importing.module_of("own_net")
    before = importing.origin("own_net:build")
    assert before == importing.origin("own_net:build")
    write(here / changed, "width = 4\n")
    assert importing.origin("own_net:build")["sha256"] != before["sha256"]


READS = {
    "itself": "open(where).read()",
    "by Python": "json.loads(pathlib.Path(where).read_text())",
    "by torch": "torch.load(where, weights_only=True)",
    "by NumPy": "numpy.loadtxt(where)",
}


@pytest.mark.parametrize("how", READS)
def test_the_hash_is_of_what_it_reads_elsewhere_too(folders: tuple[Path, Path], how: str) -> None:
    """Such as weights that another training replaces."""
    here, other = folders
    data, digests = other / "data", set()
    text = f"import json, numpy, pathlib, torch\ndef build(where): {READS[how]}\n"
    write(here / "own_net.py", text)
    for value in (3, 4, 3):
        torch.save(torch.tensor(value), data) if how == "by torch" else write(data, f"{value}")
        with importing.noting_reads():
            importing.module_of("own_net").build(str(data))
        digests.add(importing.origin("own_net:build")["sha256"])
    assert len(digests) == 2


def test_what_libraries_and_the_system_keep_is_no_part_of_the_hash(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library's cache is written by the first process and read by the next."""
    here, other = folders
    sys.path.insert(0, str(other / "site-packages"))
    write(other / "site-packages" / "own_installed.py", "[open(file) for file in files]\n")
    caches = [here / ".cache" / "own", other / "cache" / "own"]
    text = f"import builtins; builtins.files = {list(map(str, caches))}; open('/proc/self/stat')\n"
    digest = write(here / "own_net.py", f"{text}import own_installed\n")
    monkeypatch.setattr("builtins.files", [], raising=False)
    for file in caches:
        write(file, "now")
    importing.module_of("own_net")
    assert importing.origin("own_net:build")["sha256"] == digest


def test_the_version_of_a_package_that_it_imports_is_part_of_the_hash(
    folders: tuple[Path, Path],
) -> None:
    """Another version of such a package may be another model of the same name."""
    here, other = folders
    text = "import torch\ndef net(): from own_library.nets import net\n"
    digest = write(here / "own_net.py", text)
    importing.module_of("own_net")
    assert importing.origin("own_net:build")["sha256"] == digest  # torch's is in the environment
    hashes = {digest}
    for version in ("5.24.0", "5.25.0"):
        about = f"Metadata-Version: 2.1\nName: own-library\nVersion: {version}\n"
        write(other / "own_library.dist-info" / "METADATA", about)
        hashes.add(importing.origin("own_net:build")["sha256"])
    assert len(hashes) == 3


def test_what_no_python_of_now_can_read_is_part_of_the_hash_too(
    folders: tuple[Path, Path],
) -> None:
    here, _ = folders
    write(here / "own_net.py", "import sys\nif sys.version_info < (3,):\n    import own_old\n")
    write(here / "own_old.py", "print 'hello'\n")
    importing.module_of("own_net")
    before = importing.origin("own_net:build")["sha256"]
    write(here / "own_old.py", "print 'goodbye'\n")
    assert importing.origin("own_net:build")["sha256"] != before


def test_of_a_module_without_a_text_the_file_it_has(folders: tuple[Path, Path]) -> None:
    here, _ = folders
    write(here / "own_net.py", "size = 3\n")
    file = Path(py_compile.compile(str(here / "own_net.py"), str(here / "own_net.pyc")) or "")
    (here / "own_net.py").unlink()
    importing.module_of("own_net")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert importing.origin("own_net:build") == {"file": "own_net.pyc", "sha256": digest}


def test_of_an_installed_module_the_file_alone(folders: tuple[Path, Path]) -> None:
    _, other = folders
    site = other / "site-packages"
    sys.path.insert(0, str(site))
    digest = write(site / "own_installed.py", "import own_layers\n")
    write(site / "own_layers.py", "")
    importing.module_of("own_installed")
    origin = importing.origin("own_installed:build")
    assert origin == {"file": "site-packages/own_installed.py", "sha256": digest}


@pytest.mark.parametrize("changed", ["layers.py", "nets/__init__.py", "net.json"])
def test_of_an_installed_package_all_of_its_code(folders: tuple[Path, Path], changed: str) -> None:
    package = folders[1] / "site-packages" / "own_installed"
    sys.path.insert(0, str(package.parent))
    for name in ("__init__.py", "layers.py", "nets/__init__.py", "nets/net.py", "net.json"):
        write(package / name, "")
    importing.module_of("own_installed.nets.net")
    before = importing.origin("own_installed.nets.net:build")
    assert before["file"] == "site-packages/own_installed/nets/net.py"
    write(package / "weights.bin", "1")
    assert importing.origin("own_installed.nets.net:build") == before
    write(package / changed, "1")
    assert importing.origin("own_installed.nets.net:build")["sha256"] != before["sha256"]


def test_of_what_this_package_is_built_on_the_module_alone() -> None:
    version = importing.module_of("packaging.version")
    assert version.__file__ is not None
    digest = hashlib.sha256(Path(version.__file__).read_bytes()).hexdigest()
    assert importing.origin("packaging.version:parse")["sha256"] == digest


def test_the_command_line_is_not_broken_by_files_of_the_working_folder(tmp_path: Path) -> None:
    for name in ("typer.py", "queue.py", "pandas.py", "pydantic.py"):
        (tmp_path / name).write_text("raise RuntimeError('the wrong one')\n")
    line = [sys.executable, "-m", "cmx_bench", "list", "measures"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
