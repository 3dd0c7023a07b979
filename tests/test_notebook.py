"""The notebook of docs/ runs as it stands, from its own folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

NOTEBOOK = Path(__file__).parent.parent / "docs" / "notebook.ipynb"
# What packages find deprecated in each other is none of the notebook's.
STRICT = ("error", "ignore::DeprecationWarning", "error::DeprecationWarning:__main__")


def test_every_cell_runs(tmp_path: Path) -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    script = tmp_path / "notebook.py"
    script.write_text(f"{code}\nprint(len(samples), len(results), table.shape)\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, *(f"-W{filter}" for filter in STRICT), script], cwd=NOTEBOOK.parent,
        capture_output=True, text=True, check=False, env=os.environ | {"MPLBACKEND": "agg"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("(11, 3)\n")


def test_its_outputs_are_there_and_small() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] for cell in code[1:])
    assert not any(
        output.get("output_type") == "error" for cell in code for output in cell["outputs"]
    )
    assert NOTEBOOK.stat().st_size < 2**20
