"""The README's commands, its table and its example are there and true to the package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from PIL import Image

from cmx_bench import cli, report
from cmx_bench.report.tables.table_one import table_one
from cmx_bench.results import embedded
from cmx_bench.results.nouns import Report
from cmx_bench.spec import suite

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINKS = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
EXAMPLE = next(ROOT / link for link in LINKS if link.endswith("report.md")).parent
COLUMNS = ("network", "patch", "kernel", "params", "macs", "throughput", "memory", "top1_paper")


def command(mark: str) -> str:
    match = re.search(rf"^<!-- {mark} -->\n```\n(.+)\n```$", README, re.MULTILINE)
    assert match is not None
    return match[1]


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_the_two_commands_name_what_is_there() -> None:
    assert command("run").endswith("-m cmx_bench run suites/paper.yaml")
    assert (ROOT / "suites/paper.yaml").is_file()
    assert command("tests").endswith(".venv/bin/tox")
    assert (ROOT / "tox.ini").is_file()


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "<!-- tests -->" in (ROOT / ".ci/run").read_text()


def test_the_suite_in_it_loads(tmp_path: Path) -> None:
    match = re.search(r"^```yaml\n(.+?)^```$", README, re.MULTILINE | re.DOTALL)
    assert match is not None
    path = tmp_path / "mine.yaml"
    path.write_text(match[1])
    loaded = suite.load(str(path)).suite
    assert len(loaded.models) == len(yaml.safe_load(match[1])["models"])


def test_the_commands_listed_are_the_commands_there_are() -> None:
    cells = re.findall(r"^\| (`\w.*?`) \|", README, re.MULTILINE)
    listed = list(dict.fromkeys(re.findall(r"`(\w+)[^`]*`", " ".join(cells))))
    there = [
        info.name or info.callback.__name__ for info in cli.app.registered_commands if info.callback
    ]
    assert listed == there


@pytest.mark.parametrize("path", LINKS)
def test_links_lead_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.fixture(scope="module")
def example() -> Report:
    return report.read(EXAMPLE)


def test_its_table_is_that_of_the_example(example: Report) -> None:
    table = table_one(example, example.run.settings[0])
    shown = [place for place, column in enumerate(table.columns) if column.key in COLUMNS]
    lines = []
    for row in table.rows:
        texts = []
        for place in shown:
            entry = row[place]
            detail = f" ({entry.detail})" if table.columns[place].key == "throughput" else ""
            texts.append(f"{entry.text}{detail}{' ' * bool(entry.marks)}{entry.marks}")
        lines.append(f"| {' | '.join(texts)} |\n")
    assert f"--:|\n{''.join(lines)}\n" in README


def test_its_picture_shows_the_words_of_the_example() -> None:
    [picture] = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    words, _, _ = (EXAMPLE / "report.md").read_text().partition("\n## ")
    with Image.open(ROOT / picture) as screen:
        assert screen.info["words"] == words, f"python .ci/picture.py {EXAMPLE.relative_to(ROOT)}"


def test_the_example_renders_to_the_same_bytes(example: Report) -> None:
    """All of its files, and no other; drawings where the packages are those that drew them."""
    files = report.files(example)
    drawn = {name for name in files if name.startswith("figures/") or name == "report.html"}
    apart = embedded.read(EXAMPLE / "report.html").versions_apart
    for name in files.keys() - (drawn if apart else set()):
        content = files[name]
        expected = content.encode() if isinstance(content, str) else content
        if name == "report.html":  # whose code may be older, where it renders the same
            older = embedded.read(EXAMPLE / name).code
            expected = expected.replace(embedded.code().encode(), older.encode())
        assert (EXAMPLE / name).read_bytes() == expected, name
    there = {path.relative_to(EXAMPLE).as_posix() for path in EXAMPLE.rglob("*.*")}
    assert there - set(files) == {"run.json", "records.jsonl"}
