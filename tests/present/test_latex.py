r"""LaTeX: strictly by its structure, and with LaTeX itself where there is one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cmx_bench.present import latex
from cmx_bench.present.content import Column, Entry, Note, Picture, Table
from cmx_bench.present.latex import escape
from cmx_bench.report.formats import RENDERERS
from cmx_bench.report.tables import tables
from cmx_bench.results.nouns import Report

from ..report.test_formats import awkward, mixed

COMMANDS = {
    "documentclass", "usepackage", "setlength", "parindent", "begin", "end", "section", "item",
    "raggedright", "arraybackslash", "centering", "scriptsize", "tiny", "par", "medskip",
    "caption", "label", "toprule", "midrule", "bottomrule", "cmidrule", "endhead", "endfoot",
    "multicolumn", "newline", "clearpage", "begingroup", "endgroup", "textbf", "textsuperscript",
    "ensuremath", "allowbreak", "texttt", "char", "textbackslash", "textasciicircum",
    "textasciitilde", "textless", "textgreater", "textbar", "textendash", "times", "pm", "cdot",
    "textbraceleft", "textbraceright", "textquotedblleft", "textquotedblright",
    "rightarrow", "leftrightarrow", "otimes", "dagger", "ddagger", "mu", "rho", "ldots",
    "ifdefined", "else", "fi", "def", "cmxbenchalone", "expandafter", "enddocument", "input",
    "endfirsthead",
    "leq", "geq", "approx",
}  # fmt: skip
# A command of letters, an escaped special character, or the end of a row.
COMMAND = re.compile(r"\\([a-zA-Z]+|[{}$&#_%\\,]|[\"'`^~=.uvHckr]\{)")


def check(text: str) -> int:
    """Asserts that `text` is LaTeX that can be compiled; gives the number of rows it has."""
    assert text.isascii()
    assert all(command in COMMANDS for command in re.findall(r"\\([a-zA-Z]{2,})", text)), (
        "unknown command"
    )
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    bare = COMMAND.sub(lambda match: "{" if match[0].endswith("{") else " ", body)
    assert "\\" not in bare
    assert not set(bare) & set("$^_%"), "an unescaped special character"
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    open_: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", body):
        if kind == "begin":
            open_.append(name)
        else:
            assert open_.pop() == name
    assert open_ == (["document"] if r"\enddocument" in text else [])
    return sum(map(check_rows, re.findall(
        r"\\begin\{(?:tabular|longtable)\}(.*?)\\end\{(?:tabular|longtable)\}", body, re.DOTALL
    )))  # fmt: skip


def check_rows(body: str) -> int:
    spec, *lines = body.split("\n")
    if r"\endfirsthead" in lines:  # what stands above the first page stands above each
        first = lines.index(r"\endfirsthead")
        assert lines[1:first] == lines[first + 1 : lines.index(r"\endhead")]
        lines = lines[first + 1 :]
    assert spec.startswith("{@{}") and spec.endswith("@{}}")
    kept = re.sub(r">\{[^}]*\}|@\{\}|p\{[\d.]+cm\}", lambda m: "p" * (m[0][0] == "p"), spec[1:-1])
    assert set(kept) <= set("lrp")
    rows = [line for line in lines if line.endswith(r"\\")]
    for row in rows:
        assert not re.match(r"\s*[\[*]", row), "would be read as an option of the row before"
        spans = re.findall(r"\\multicolumn\{(\d+)\}", row)
        cells = len(re.findall(r"(?<!\\)&", row)) + 1
        assert cells + sum(int(span) - 1 for span in spans) == len(kept)
    others = {line.partition("(")[0] for line in lines if line and line not in rows}
    assert others <= {
        r"\toprule", r"\midrule", r"\bottomrule", r"\cmidrule", r"\endhead", r"\endfoot",
    }  # fmt: skip
    return len(rows)


@pytest.fixture(scope="module", params=["mixed", "awkward"])
def report(request: pytest.FixtureRequest) -> Report:
    return {"mixed": mixed, "awkward": awkward}[request.param]()


def test_the_document_can_be_compiled(report: Report) -> None:
    text = RENDERERS["latex"](report)
    assert text.startswith(r"\documentclass") and text.endswith("\\end{document}\n")
    shown = [table for table in tables(report) if table.rows]
    grouped = sum(any(column.group for column in table.columns) for table in shown)
    assert check(text) == sum(len(table.rows) + 1 for table in shown) + grouped


def test_each_table_can_be_compiled_by_itself(report: Report) -> None:
    for table in tables(report):
        text = latex.table(table)
        check(text)
        assert text.index(r"\ifdefined\toprule\else") < text.index(r"\documentclass")


def test_nothing_of_a_table_is_dropped(report: Report) -> None:
    for table in tables(report):
        text = latex.table(table).replace(r"\allowbreak{}", "")
        for row in table.rows:
            for entry in row:
                assert all(escape(line) in text for line in entry.text.splitlines())
                assert escape(entry.detail) in text
        assert all(escape(remark) in text for remark in table.remarks)
        assert all(escape(note.text) in text for note in table.notes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b & 10 % #1 $x$", r"a\_b \& 10 \% \#1 \char36{}x\char36{}"),
        ("{y}", r"\textbraceleft{}y\textbraceright{}"),
        ("<script>|~^\\", r"\textless{}script\textgreater{}\textbar{}\textasciitilde{}"
                          r"\textasciicircum{}\textbackslash{}"),
        ("run --out x", "run -{}-out x"),
        ("---", "-{}-{}-"),
        ("[a] *", "{[}a{]} {*}"),
        ("äÅéñ ß", r'\"{a}\r{A}\'{e}\~{n} \ss{}'),
        ("± × †C 10⁶", r"\ensuremath{\pm} \ensuremath{\times} \ensuremath{\dagger}C "
                       r"10\textsuperscript{6}"),
        ("🤖 漢", r"\texttt{U+1F916} \texttt{U+6F22}"),
        ("two\nlines", "two lines"),
        ("b, ‡, §", r"b, \ensuremath{\ddagger}, \S{}"),
    ],
)  # fmt: skip
def test_escapes(text: str, expected: str) -> None:
    assert escape(text) == expected


def small(rows: int, text: str = "1") -> Table:
    columns = (Column("name", "Name"), Column("value", "Value", "right"))
    entry = Entry(text, "± 1 %", notes=(Note("†", "doubtful"),), best=True)
    return Table("small", "Small", columns, ((Entry("[x]"), entry),) * rows, ("So it is.",))


def test_a_row_in_full() -> None:
    marked = r"\textbf{1}\textsuperscript{\ensuremath{\dagger}}"
    row = rf"{{[}}x{{]}} & {marked} {{\tiny \ensuremath{{\pm}} 1 \%}} \\"
    assert row in latex.table(small(1)).splitlines()


def test_long_tables_go_on_over_pages() -> None:
    assert r"\begin{tabular}" in latex.table(small(40))
    assert r"\begin{longtable}" in latex.table(small(41))
    assert check(latex.table(small(41))) == 42


def test_a_table_without_rows_says_so_and_has_no_heads() -> None:
    text = latex.table(small(0))
    check(text)
    assert r"\par None." in text and r"\par So it is." in text
    assert "tabular" not in text and "longtable}" not in text.split(r"\fi", 1)[1]


def test_a_column_of_pictures_alone_has_a_width() -> None:
    """Their names are longer than any line of text, of which there is none."""
    picture = Picture("thumbnails/1.jpg", b"", "n01440764/ILSVRC2012_val_00000293.JPEG: 0, not 1")
    table = Table("t", "T", (Column("a", "A"),), ((Entry("", pictures=(picture,)),),))
    assert r"p{0.0cm}" in latex.table(table)
    check(latex.table(table))


def test_long_words_can_be_broken() -> None:
    table = Table("t", "T", (Column("a", "A"),), ((Entry("x" * 200),),))
    text = latex.table(table)
    assert text.count(r"\allowbreak{}") == 16
    assert r">{\raggedright\arraybackslash}p{" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="only where LaTeX is")
def test_latex_compiles_it(report: Report, tmp_path: Path) -> None:
    first = tables(report)[0]
    (tmp_path / "report.tex").write_text(RENDERERS["latex"](report))
    (tmp_path / "table.tex").write_text(latex.table(first))
    (tmp_path / "host.tex").write_text(
        "\\documentclass{article}\\usepackage{array,booktabs,longtable}\\begin{document}\n"
        "\\input{table}\n\\input{table}\nend\\end{document}\n"
    )
    for name in ("report", "table", "host"):
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", name],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:]
