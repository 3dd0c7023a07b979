"""What is built of the repository: the package says that it is typed, the source distribution has
all that the tests read, and the README reads well where there are no files beside it."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HATCH = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ALWAYS = {"LICENSE", "pyproject.toml"}  # hatchling adds them
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def test_the_package_says_that_it_is_typed() -> None:
    assert (resources.files("cmx_bench") / "py.typed").is_file()


@pytest.mark.parametrize("name", ["suites", "report/templates", "published"])
def test_data_come_with_the_package(name: str) -> None:
    """Suites lie beside the package in the repository, and within it once it is installed."""
    places = [resources.files("cmx_bench") / name, ROOT / name]
    assert any(place.is_dir() and list(place.iterdir()) for place in places)


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])
def test_the_source_distribution_has_what_documents_and_tests_read(path: Path) -> None:
    links = [(path.parent / link).resolve() for link in LINK.findall(path.read_text("utf-8"))]
    read = [*links, ROOT / ".ci/run", ROOT / "tox.ini", ROOT / "docs/notebook.ipynb"]
    built = [ROOT / name for name in (*HATCH["build"]["targets"]["sdist"]["include"], *ALWAYS)]
    assert [path for path in read if not any(path.is_relative_to(part) for part in built)] == []


def test_on_an_index_no_link_of_the_readme_is_dead() -> None:
    text = README
    assert LINK.findall(text)
    for substitution in HATCH["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(substitution["pattern"], substitution["replacement"], text)
    assert not LINK.findall(text)
    assert "[ConvMixer](https://arxiv.org/abs/2201.09792)" in text
    assert "docs/suites.md has every key;\ndocs/comparing.md says" in text
    assert "CONTRIBUTING (CONTRIBUTING.md) adds a measure" in text
