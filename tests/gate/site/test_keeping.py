"""Parts of a site are removed by their notes, which may be a stranger's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cmx_bench.errors import RecordsError
from cmx_bench.gate.site import keeping


def test_a_part_is_what_was_put_there_last(tmp_path: Path) -> None:
    keeping.put(tmp_path, "runs/a", {"x.html": "1", "figures/x.svg": "1"}, "first")
    keeping.put(tmp_path, "runs/a", {"x.html": "2"}, "second")
    note = keeping.note(tmp_path, "runs/a")
    assert note is not None and (note.made_of, note.files) == ("second", ("x.html",))
    assert sorted(path.name for path in (tmp_path / "runs/a").iterdir()) == [
        "made-of.json",
        "x.html",
    ]
    assert list(keeping.parts(tmp_path, "runs")) == ["runs/a"]


def test_a_part_that_was_written_by_half_is_made_of_nothing(tmp_path: Path) -> None:
    keeping.put(tmp_path, "runs/a", {"old.html": ""}, "first")
    (tmp_path / "runs/a/x").mkdir()
    (tmp_path / "runs/a/x/y").touch()
    with pytest.raises(RecordsError, match=r"runs/a/x: cannot be written"):
        keeping.put(tmp_path, "runs/a", {"new.html": "", "x": ""}, "second")
    note = keeping.note(tmp_path, "runs/a")
    assert note is not None and note.made_of == ""
    shutil.rmtree(tmp_path / "runs/a/x")
    keeping.discard(tmp_path, "runs/a")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_removed_outside_a_part(tmp_path: Path) -> None:
    keeping.put(tmp_path, "runs/a", {"x": ""}, "first")
    (tmp_path / "mine").touch()
    path = tmp_path / "runs/a/made-of.json"
    said = json.loads(path.read_text()) | {"files": ["../../mine"]}
    path.write_text(json.dumps(said))
    with pytest.raises(RecordsError, match="leads out of"):
        keeping.discard(tmp_path, "runs/a")
    assert (tmp_path / "mine").exists()


@pytest.mark.parametrize("text", ["", "{}", '{"schema": 99}', "[" * 10_000, "null"])
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    keeping.put(tmp_path, "runs/a", {"x": ""}, "first")
    (tmp_path / "runs/a/made-of.json").write_text(text)
    assert keeping.note(tmp_path, "runs/a") is None
