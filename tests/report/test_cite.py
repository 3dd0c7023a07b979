"""Citations: the hash that is verified, capitals that stay, titles that escape."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from cmx_bench import report
from cmx_bench.report.cite import bibtex
from cmx_bench.results import identity


def test_a_citation_has_hash_device_and_date(folder: Path) -> None:
    found = report.read(folder)
    text = bibtex(found)
    digest = identity.content_hash(found.run, found.records)
    assert text.startswith(f"@misc{{cmx-bench-paper-{digest[:12]},\n")
    assert digest in text and "Synthetic GPU 1" in text and "2026-01-01" in text
    assert "  year = 2026,\n  month = jan,\n" in text
    assert text.count("{") == text.count("}")


def fields(text: str) -> dict[str, str]:
    """The fields of a BibTeX entry as BibTeX reads them: it counts braces after a backslash too."""
    read = {}
    for name, value in re.findall(r"^  (\w+) = (.*),$", text, re.MULTILINE):
        depth = [0]
        for one in value:
            depth.append(depth[-1] + {"{": 1, "}": -1}.get(one, 0))
        assert depth[-1] == 0 and min(depth) == 0
        assert value.isalnum() or depth[1:-1].count(0) == 0  # it ends where it began
        read[name] = value
    return read


def test_a_citation_keeps_its_capitals_and_has_a_key_to_sort_by(folder: Path) -> None:
    """Styles write titles small but for what has braces of its own; they sort by the author, which
    a run has not, or else by the key."""
    found = report.read(folder)
    title = "ConvMixer beside ResNet, DeiT, ResMLP and MLP-Mixer"
    read = fields(
        bibtex(dataclasses.replace(found, run=dataclasses.replace(found.run, title=title)))
    )
    assert read["title"] == f"{{{{{title}}}}}"
    assert read["key"] == "{{cmx-bench paper}}"
    for name in ("howpublished", "note"):
        assert read[name].startswith("{{") and read[name].endswith("}}")


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("a_b & 50 % 🤖", r"a\_b \& 50 \% \texttt{U+1F916}"),
        ("}{ Größe \\", r"\textbraceright{}\textbraceleft{} Gr\"{o}\ss{}e \textbackslash{}"),
        ('@misc{x, "y" #1', r"@misc\textbraceleft{}x, \char34{}y\char34{} \#1"),
        ("two\nlines", "two lines"),
    ],
)
def test_a_citation_escapes_the_title(folder: Path, title: str, text: str) -> None:
    found = report.read(folder)
    awkward = dataclasses.replace(found, run=dataclasses.replace(found.run, title=title))
    assert fields(bibtex(awkward))["title"] == f"{{{{{text}}}}}"
