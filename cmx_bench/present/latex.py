r"""LaTeX: booktabs tables in pure ASCII; a file of one compiles as it is and can be \input."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cmx_bench.present.content import Column, Entry, Fact, Table, group_columns

# A left column with longer lines is broken; centimetres that a letter of \scriptsize takes.
_LONGEST_LINE, _LETTER = 28, 0.14
_WIDEST_BROKEN = 70
# Longer tables go on over pages; the others can float, and stand in two columns of text.
_MOST_LINES = 40

_DOCUMENT = r"""\documentclass{article}
\usepackage[paperwidth=%.0fcm,paperheight=29.7cm,margin=1.5cm]{geometry}
\usepackage{array,booktabs,longtable}
\setlength{\parindent}{0pt}
\begin{document}"""


def document(title: str, facts: Iterable[Fact], tables: Iterable[Table]) -> str:
    """Tables below a title and facts, as a document that compiles as it is."""
    laid_out = [(table, _layouts(table)) for table in tables]
    lines = [
        _DOCUMENT % _paper(layouts for _, layouts in laid_out),
        rf"\section*{{{escape(title)}}}",
        r"\begin{description}\raggedright",
        *(rf"\item[{escape(fact.term)}] {escape(fact.text)}" for fact in facts),
        r"\end{description}",
        *(line for parts in laid_out for line in (*_lines(*parts), r"\clearpage")),
        r"\end{document}",
    ]
    return "\n".join(lines) + "\n"


def table(table: Table) -> str:
    r"""One table: a document by itself, and without its frame where booktabs is loaded already."""
    layouts = _layouts(table)
    lines = [
        r"% Compiles as it is; \input it where array, booktabs and longtable are loaded.",
        r"\ifdefined\toprule\else",
        _DOCUMENT % _paper([layouts]),
        r"\def\cmxbenchalone{}",
        r"\fi",
        *_lines(table, layouts),
        r"\ifdefined\cmxbenchalone\expandafter\enddocument\fi",
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a column is set: `width` is in centimetres, roughly; figures are never `broken`."""

    spec: str
    width: float
    broken: bool


def _layouts(table: Table) -> list[_Layout]:
    columns = zip(*table.rows, strict=True) if table.rows else ((),) * len(table.columns)
    return list(map(_layout, table.columns, columns))


def _layout(column: Column, entries: Sequence[Entry]) -> _Layout:
    flat = [len(entry.flat) for entry in entries]
    several = any("\n" in entry.text for entry in entries)
    if column.align == "right" or not (several or max(flat, default=0) > _LONGEST_LINE):
        return _Layout(column.align[0], _LETTER * max(len(column.heading), *flat, 0), False)
    longest = max((len(line) for entry in entries for line in _texts(entry)), default=0)
    width = _LETTER * min(longest, _WIDEST_BROKEN)
    return _Layout(rf">{{\raggedright\arraybackslash}}p{{{width:.1f}cm}}", width, True)


def _paper(tables: Iterable[Sequence[_Layout]]) -> float:
    """Centimetres of a page on which the widest table fits, with gaps between its columns."""
    widths = (sum(layout.width + 0.45 for layout in layouts) for layouts in tables)
    return max(21.0, 4 + max(widths, default=0.0))


# Not by pandas' Styler: it has no rules below grouped headings, no footnotes, and imports jinja2.
def _lines(table: Table, layouts: Sequence[_Layout]) -> Iterator[str]:
    columns = f"{{@{{}}{''.join(layout.spec for layout in layouts)}@{{}}}}"
    caption = rf"\caption{{{escape(table.title)}}}\label{{tab:{table.key.replace('_', '-')}}}"
    notes = (f"{_raise(note.mark)} {escape(note.text)}" for note in table.notes)
    below = [rf"\par {line}" for line in (*notes, *map(escape, table.remarks))]
    if not table.rows:
        yield from (r"\begin{table}[htbp]", r"\scriptsize\raggedright", caption)
        yield from (rf"\par {escape(table.none)}", *below, r"\end{table}")
        return
    headings = _row(escape(column.heading) for column in table.columns)
    head = [r"\toprule", *_groups(table.columns), headings, r"\midrule"]
    rows = [_row(map(_cell, row, layouts)) for row in table.rows]
    heights = (
        max(sum(1 + len(line) // _WIDEST_BROKEN for line in _texts(entry)) if layout.broken else 1
            for entry, layout in zip(row, layouts, strict=True))
        for row in table.rows
    )  # fmt: skip
    if sum(heights) > _MOST_LINES:
        yield from (r"\begingroup\scriptsize\raggedright", rf"\begin{{longtable}}{columns}")
        yield from (rf"{caption}\\", *head, r"\endfirsthead", *head, r"\endhead")
        yield from (r"\bottomrule", r"\endfoot", *rows, r"\end{longtable}", *below)
        yield r"\par\endgroup"
    else:
        yield from (r"\begin{table}[htbp]", r"\centering\scriptsize", caption)
        yield from (rf"\begin{{tabular}}{columns}", *head, *rows, r"\bottomrule", r"\end{tabular}")
        yield from ([r"\par\medskip\raggedright"] if below else [])
        yield from (*below, r"\end{table}")


def _groups(columns: Iterable[Column]) -> Iterator[str]:
    """The headings above several columns, with a rule below each; nothing where there are none."""
    cells, rules, place = [], [], 1
    for group, count in group_columns(columns):
        cells.append(rf"\multicolumn{{{count}}}{{c}}{{{escape(group)}}}" if group else "")
        rules += [rf"\cmidrule(lr){{{place}-{place + count - 1}}}"] if group else []
        place += count
    if rules:
        yield from (_row(cells), "".join(rules))


def _row(cells: Iterable[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def _cell(entry: Entry, layout: _Layout) -> str:
    write = _breakable if layout.broken else escape
    text = r"\newline ".join(map(write, entry.text.splitlines()))
    text = rf"\textbf{{{text}}}" if entry.best else text
    text += _raise(entry.marks) if entry.notes else ""
    if not entry.detail:
        return text
    detail = rf"{{\tiny {write(entry.detail)}}}"
    return rf"{text}\newline {detail}" if layout.broken else f"{text} {detail}"


def _raise(text: str) -> str:
    return rf"\textsuperscript{{{escape(text)}}}"


def _texts(entry: Entry) -> list[str]:
    return [*entry.text.splitlines(), *([entry.detail] if entry.detail else [])]


# --- characters -----------------------------------------------------------------------------------

# Brackets and stars follow a row's end as its options; quotes and hyphens join to others; \$ wants
# a font that small installations lack. To BibTeX the brace of \{ is one that opens a group.
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}",
    "$": r"\char36{}", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\char34{}",
    "'": r"\char39{}", "`": r"{}\char96{}", "[": "{[}", "]": "{]}", "*": "{*}",
    "\n": " ", "\r": " ", "\t": " ",
    "±": r"\ensuremath{\pm}", "×": r"\ensuremath{\times}", "÷": r"\ensuremath{\div}",
    "−": r"\ensuremath{-}", "≤": r"\ensuremath{\leq}", "≥": r"\ensuremath{\geq}",
    "≈": r"\ensuremath{\approx}", "∅": r"\ensuremath{\emptyset}", "→": r"\ensuremath{\rightarrow}",
    "↔": r"\ensuremath{\leftrightarrow}", "✗": r"\ensuremath{\otimes}", "µ": r"\ensuremath{\mu}",
    "ρ": r"\ensuremath{\rho}", "·": r"\ensuremath{\cdot}", "†": r"\ensuremath{\dagger}",
    "‡": r"\ensuremath{\ddagger}", "§": r"\S{}", "¶": r"\P{}", "–": r"\textendash{}",
    "—": r"\textemdash{}", "…": r"\ldots{}", "’": r"\textquoteright{}", "‘": r"\textquoteleft{}",
    "“": r"\textquotedblleft{}", "”": r"\textquotedblright{}", "\u00a0": "~", "\u202f": r"\,",
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "ø": r"\o{}", "Ø": r"\O{}", "ł": r"\l{}",
    "Ł": r"\L{}", "œ": r"\oe{}", "Œ": r"\OE{}",
    **{raised: rf"\textsuperscript{{{digit}}}" for digit, raised in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
}  # fmt: skip
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u",
    "\u0307": ".", "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
    "\u0328": "k",
}  # fmt: skip


def escape(text: str) -> str:
    """`text` so that any LaTeX prints it as it is; what no font has, by its number (`U+1F916`)."""
    return re.sub(r"([-,])(?=\1)", r"\1{}", "".join(map(_character, text)))


def _character(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if " " <= character <= "~":
        return character
    letter, *accents = list(unicodedata.normalize("NFD", character))
    if letter.isascii() and letter.isalpha() and len(accents) == 1 and accents[0] in _ACCENTS:
        return rf"\{_ACCENTS[accents[0]]}{{{letter}}}"
    return rf"\texttt{{U+{ord(character):04X}}}"


_LONG_WORD, _PIECE = 24, 12


def _breakable(text: str) -> str:
    """`text` escaped, with places where a word too long for its column may be broken."""
    pieces = (
        [word[at : at + _PIECE] for at in range(0, len(word), _PIECE)]
        if len(word) > _LONG_WORD
        else [word]
        for word in text.split(" ")
    )
    return " ".join(r"\allowbreak{}".join(map(escape, parts)) for parts in pieces)
