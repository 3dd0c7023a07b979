r"""LaTeX: booktabs tables in pure ASCII; a file of one compiles as it is and can be \input."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from cmx_bench.present.content import Column, Entry, Fact, Table, grouped
from cmx_bench.report.content import Content
from cmx_bench.report.headline import facts
from cmx_bench.units import plain

# A left column with longer lines is broken; centimetres that a letter of \scriptsize takes.
_LONGEST_LINE, _LETTER = 28, 0.14
_WIDEST_BROKEN = 70
# Longer tables go on over pages; the others can float, and stand in two columns of text.
_MOST_LINES = 40

_DOCUMENT = r"""\documentclass{article}
\usepackage[paperwidth=%.0fcm,paperheight=29.7cm,margin=1.5cm]{geometry}
\usepackage{array,booktabs,longtable}
\setlength{\parindent}{0pt}
\begin{document}
"""


def render(content: Content) -> str:
    """The whole report but its figures as a document that compiles as it is."""
    report = content.report
    return document(report.run.title, facts(report), (*content.first, *content.rest))


def document(title: str, facts: Iterable[Fact], tables: Sequence[Table]) -> str:
    """Tables below a title and facts, as a document that compiles as it is."""
    lines = [
        _DOCUMENT % _paper(tables) + rf"\section*{{{escaped(plain(title))}}}",
        r"\begin{description}\raggedright",
        *(rf"\item[{escaped(fact.term)}] {escaped(fact.text)}" for fact in facts),
        r"\end{description}",
        *(part for table in tables for part in (_table(table), r"\clearpage")),
        r"\end{document}",
    ]
    return "\n".join(lines) + "\n"


def table(table: Table) -> str:
    r"""One table: a document by itself, and without its frame where booktabs is loaded already."""
    frame = _DOCUMENT.rstrip() % _paper([table])
    lines = [
        r"% Compiles as it is; \input it where array, booktabs and longtable are loaded.",
        r"\ifdefined\toprule\else",
        frame,
        r"\def\cmxbenchalone{}",
        r"\fi",
        _table(table),
        r"\ifdefined\cmxbenchalone\expandafter\enddocument\fi",
    ]
    return "\n".join(lines) + "\n"


def _table(table: Table) -> str:
    broken = [_is_broken(table, place) for place in range(len(table.columns))]
    body = [_row(row, broken) for row in table.rows]
    title, label = escaped(table.title), table.key.replace("_", "-")
    spec = "".join(_spec(table, place, one) for place, one in enumerate(broken))
    caption = rf"\caption{{{title}}}\label{{tab:{label}}}"
    head = [*_groups(table.columns), _headings(table.columns)]
    below = [rf"\par {line}" for line in _below(table)]
    if sum(_height(row, broken) for row in table.rows) > _MOST_LINES:
        parts = [
            r"\begingroup\scriptsize\raggedright",
            rf"\begin{{longtable}}{{@{{}}{spec}@{{}}}}",
            rf"{caption}\\",
            *(r"\toprule", *head, r"\midrule", r"\endfirsthead"),
            *(r"\toprule", *head, r"\midrule", r"\endhead", r"\bottomrule", r"\endfoot"),
            *body,
            r"\end{longtable}",
            *below,
            r"\par\endgroup",
        ]
    else:
        parts = [
            r"\begin{table}[htbp]",
            r"\centering\scriptsize",
            caption,
            rf"\begin{{tabular}}{{@{{}}{spec}@{{}}}}",
            *(r"\toprule", *head, r"\midrule", *body, r"\bottomrule"),
            r"\end{tabular}",
            *([r"\par\medskip\raggedright"] if below else []),
            *below,
            r"\end{table}",
        ]
    return "\n".join(parts)


def _below(table: Table) -> Iterator[str]:
    for note in table.notes:
        yield rf"\textsuperscript{{{escaped(note.mark)}}} {escaped(note.text)}"
    yield from (escaped(remark) for remark in table.remarks)


def _groups(columns: Iterable[Column]) -> Iterator[str]:
    """The headings above several columns, with a rule below each; nothing where there are none."""
    cells, rules, place = [], [], 1
    for group, count in grouped(columns):
        cells.append(rf"\multicolumn{{{count}}}{{c}}{{{escaped(group)}}}" if group else "")
        rules += [rf"\cmidrule(lr){{{place}-{place + count - 1}}}"] if group else []
        place += count
    if rules:
        yield rf"{' & '.join(cells)} \\"
        yield "".join(rules)


def _headings(columns: Iterable[Column]) -> str:
    return rf"{' & '.join(escaped(column.heading) for column in columns)} \\"


def _row(row: Iterable[Entry], broken: Iterable[bool]) -> str:
    cells = (_cell(entry, one) for entry, one in zip(row, broken, strict=True))
    return rf"{' & '.join(cells)} \\"


def _cell(entry: Entry, broken: bool) -> str:
    write = _breakable if broken else escaped
    text = r"\newline ".join(write(line) for line in entry.text.splitlines())
    text = rf"\textbf{{{text}}}" if entry.best else text
    text += rf"\textsuperscript{{{escaped(entry.marks)}}}" if entry.notes else ""
    if not entry.detail:
        return text
    detail = rf"{{\tiny {write(entry.detail)}}}"
    return rf"{text}\newline {detail}" if broken else f"{text} {detail}"


# --- sizes ----------------------------------------------------------------------------------------


def _lines(entry: Entry) -> list[str]:
    return [*entry.text.splitlines(), *([entry.detail] if entry.detail else [])]


def _is_broken(table: Table, place: int) -> bool:
    """Whether a column's lines must be broken: figures never are."""
    if table.columns[place].align == "right":
        return False
    found = [row[place] for row in table.rows]
    return any("\n" in one.text or len(one.flat) > _LONGEST_LINE for one in found)


def _width(table: Table, place: int) -> float:
    """Centimetres that a column takes, roughly."""
    found = [row[place] for row in table.rows]
    if _is_broken(table, place):
        longest = max((len(line) for entry in found for line in _lines(entry)), default=0)
        return _LETTER * min(longest, _WIDEST_BROKEN)
    cells = [len(table.columns[place].heading), *(len(entry.flat) for entry in found)]
    return _LETTER * max(cells)


def _height(row: Iterable[Entry], broken: Sequence[bool]) -> int:
    """The lines that a row takes."""
    return max(
        sum(1 + len(line) // _WIDEST_BROKEN for line in _lines(entry)) if one else 1
        for entry, one in zip(row, broken, strict=True)
    )


def _spec(table: Table, place: int, broken: bool) -> str:
    if broken:
        return rf">{{\raggedright\arraybackslash}}p{{{_width(table, place):.1f}cm}}"
    return "r" if table.columns[place].align == "right" else "l"


def _paper(tables: Iterable[Table]) -> float:
    """Centimetres of a page on which the widest table fits."""
    gap = 0.45  # between two columns
    widths = (sum(_width(one, place) + gap for place in range(len(one.columns))) for one in tables)
    return max(21.0, 4 + max(widths, default=0.0))


# --- characters -----------------------------------------------------------------------------------

# Brackets and stars follow a row's end as its options; quotes and hyphens join to others; \$ wants
# a font that small installations lack.
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\char36{}", "&": r"\&", "#": r"\#",
    "_": r"\_", "%": r"\%", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\char34{}",
    "'": r"\char39{}", "`": r"{}\char96{}", "[": "{[}", "]": "{]}", "*": "{*}",
    "\n": " ", "\r": " ", "\t": " ",
    "±": r"\ensuremath{\pm}", "×": r"\ensuremath{\times}", "÷": r"\ensuremath{\div}",
    "−": r"\ensuremath{-}", "≤": r"\ensuremath{\leq}", "≥": r"\ensuremath{\geq}",
    "≈": r"\ensuremath{\approx}", "→": r"\ensuremath{\rightarrow}",
    "↔": r"\ensuremath{\leftrightarrow}", "✗": r"\ensuremath{\otimes}", "µ": r"\ensuremath{\mu}",
    "ρ": r"\ensuremath{\rho}", "·": r"\ensuremath{\cdot}", "†": r"\ensuremath{\dagger}",
    "‡": r"\ensuremath{\ddagger}", "§": r"\S{}", "–": r"\textendash{}", "—": r"\textemdash{}",
    "…": r"\ldots{}", "’": r"\textquoteright{}", "‘": r"\textquoteleft{}",
    "“": r"\textquotedblleft{}", "”": r"\textquotedblright{}", "\u00a0": "~", "\u202f": r"\,",
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "ø": r"\o{}", "Ø": r"\O{}", "ł": r"\l{}",
    "Ł": r"\L{}", "œ": r"\oe{}", "Œ": r"\OE{}",
}  # fmt: skip
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u",
    "\u0307": ".", "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
    "\u0328": "k",
}  # fmt: skip
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True))


def escaped(text: str) -> str:
    """`text` so that any LaTeX prints it as it is; what no font has, by its number (`U+1F916`)."""
    return re.sub(r"([-,])(?=\1)", r"\1{}", "".join(map(_character, text)))


def _character(one: str) -> str:
    if one in _SPECIAL:
        return _SPECIAL[one]
    if one in _SUPERSCRIPTS:
        return rf"\textsuperscript{{{_SUPERSCRIPTS[one]}}}"
    if " " <= one <= "~":
        return one
    letter, *accents = list(unicodedata.normalize("NFD", one))
    if letter.isascii() and letter.isalpha() and len(accents) == 1 and accents[0] in _ACCENTS:
        return rf"\{_ACCENTS[accents[0]]}{{{letter}}}"
    return rf"\texttt{{U+{ord(one):04X}}}"


_LONG_WORD, _PIECE = 24, 12


def _breakable(text: str) -> str:
    """`text` escaped, with places where a word too long for its column may be broken."""
    return " ".join(_pieces(word) if len(word) > _LONG_WORD else escaped(word)
                    for word in text.split(" "))  # fmt: skip


def _pieces(word: str) -> str:
    parts = (word[at : at + _PIECE] for at in range(0, len(word), _PIECE))
    return r"\allowbreak{}".join(escaped(part) for part in parts)
