"""Every number of a report recomputed: what was changed is named, and nothing else."""

from __future__ import annotations

import dataclasses
import gzip
import random
import re
import shutil
import string
from pathlib import Path

import pytest

from cmx_bench import report
from cmx_bench.errors import RecordsError
from cmx_bench.report import verify
from cmx_bench.report.verify import Difference
from cmx_bench.results import embedded, nouns, records

from ...results.test_embedded import unpack, with_packed
from .. import rendering
from .conftest import edit


def other_digit(text: str) -> str:
    """`text` with its last digit changed."""
    head, digit, tail = re.fullmatch(r"(.*)(\d)(\D*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    return f"{head}{(int(digit) + 1) % 10}{tail}"


def test_what_was_rendered_is_verified(folder: Path) -> None:
    for path in (folder, folder / "report.html"):
        verified = verify.verify(path)
        assert (verified.differences, verified.notes) == ((), ())
        assert verified.content_hash == nouns.content_hash(
            records.read_run(folder), records.read(folder)
        )
        assert list(verify.lines(verified))[-1].endswith(f"SHA-256 {verified.content_hash}")


def test_a_page_of_a_site_is_verified_and_its_links_say_nothing(folder: Path) -> None:
    page = folder / "report.html"
    text = report.files_of_site(report.read(folder), "../../")["report.html"]
    assert isinstance(text, str)
    page.write_text(text, encoding="utf-8")
    assert '<a href="../../index.html?suite=paper#runs">Runs of this suite</a>' in text
    assert verify.verify(page).differences == ()
    edit(page, lambda text: text.replace(">All runs<", ">Verified: 99 % top-1<"))
    verified = verify.verify(page)
    assert any("Verified: 99 % top-1" in difference.shown for difference in verified.differences)


def test_a_digit_changed_in_each_table_of_the_page_is_named(folder: Path) -> None:
    changed = {}

    def change(table: re.Match[str]) -> str:
        """Changes the first figure that can be read in the table's body."""
        cells = list(re.finditer(r"<t([hd])([^>]*)>(.*?)</t\1>", table[3], re.DOTALL))
        for cell in cells:
            if number := re.match(r"(?:<strong>)?[\d.,]*\d", cell[3]):
                changed[table[2]] = number[0].removeprefix("<strong>")
                start, end = cell.start(3), cell.start(3) + number.end()
                return table[1] + table[3][:start] + other_digit(number[0]) + table[3][end:]
        return table[0]

    page = folder / "report.html"
    table = r'(<caption id="([^"]*)-caption">.*?<tbody>)(.*?)(?=</tbody>)'
    edit(page, lambda text: re.sub(table, change, text, flags=re.DOTALL))
    verified = verify.verify(page)
    assert set(changed) == {
        "table1-cuda-fp16-nchw-eager-b64-r224", "fidelity", "order", "metrics", "failures",
        "samples", "published", "environments",
    }  # fmt: skip
    place = re.compile(r"table ([^,]+), row \d+ \(.*\), column \w+$")
    named = {
        place.match(difference.place)[1]: difference  # type: ignore[index]
        for difference in verified.differences
    }
    assert set(named) == set(changed)
    assert len(verified.differences) == len(changed)
    for key, difference in named.items():
        assert difference.recomputed.startswith(changed[key])
        assert not difference.shown.startswith(changed[key])


def test_the_rest_of_the_page_is_verified_too(folder: Path) -> None:
    page = folder / "report.html"
    edit(page, lambda text: text.replace("HOLDS</td>", "FAILS</td>", 1))
    edit(page, lambda text: text.replace("of 9</dd>", "of 8</dd>"))
    edit(
        page,
        lambda text: re.sub(r'title="95 % interval \d', 'title="95 % interval 1', text, count=1),
    )
    edit(page, lambda text: re.sub(r'(<path d="M )\d', r"\g<1>9", text, count=1))
    differences = verify.verify(page).differences
    ends = [difference.place.rpartition(", ")[2] for difference in differences]
    assert sorted(re.sub(r"\d+", "N", end) for end in ends) == [
        "column verdict", "drawing", "line N", "tooltip",
    ]  # fmt: skip
    line = next(difference for difference in differences if difference.place.startswith("line"))
    assert "of 8" in line.shown and "of 9" in line.recomputed


def test_an_entry_that_is_hidden_is_no_entry_shown(folder: Path) -> None:
    """It reads the same, and nobody sees it."""
    page = folder / "report.html"
    edit(page, lambda text: text.replace(">51.6<", "><b hidden>51.6</b><", 1))
    [difference] = verify.verify(page).differences
    assert difference.place == "the markup"
    assert "<b hidden>" in next(verify.lines(verify.verify(page)))


def test_a_byte_changed_anywhere_in_the_page_is_a_difference(written: Path) -> None:
    page = (written / "report.html").read_text(encoding="utf-8")
    data = re.search(r'"cmx-bench-data">\n(.*?)\n</script>', page, re.DOTALL)
    assert data is not None
    lots = random.Random(16)
    outside = [place for place in range(len(page)) if not data.start(1) <= place < data.end(1)]
    for place in lots.sample(outside, 200):
        other = lots.choice(string.printable.replace(page[place], ""))
        changed = page[:place] + other + page[place + 1 :]
        assert verify._in_text("report.html", changed, page)[1], page[place - 20 : place + 20]


def test_ends_of_lines_are_compared_too(folder: Path) -> None:
    page = folder / "report.html"
    page.write_bytes(page.read_bytes().replace(b"</h1>\n", b"</h1>\r\n"))
    [difference] = verify.verify(page).differences
    # The second is how an older libxml2 keeps it.
    assert sum(map(difference.shown.count, ("\r", "&#13;"))) == 1
    assert not any(end in difference.recomputed for end in ("\r", "&#13;"))


def test_what_a_browser_shows_is_no_data(folder: Path) -> None:
    """A tag ends the block for a browser, whatever string of JSON it stands in."""
    page = folder / "report.html"
    end = "</script><h1>Fastest of all</h1>"
    edit(page, lambda text: text.replace('"encoding": "', f'"x": "{end}",\n"encoding": "'))
    with pytest.raises(RecordsError, match="holds no raw samples"):
        verify.verify(page)


def test_a_second_block_of_data_is_a_difference(folder: Path) -> None:
    page = folder / "report.html"
    data = embedded.pack(embedded.read(page).report)
    block = f'<script type="application/json" id="cmx-bench-data-2">\n{data}\n</script>\n'
    edit(page, lambda text: text.replace("</body>", f"{block}</body>"))
    assert len(verify.verify(page).differences) > 0
    with pytest.raises(RecordsError, match="holds 2 runs"):
        verify.verify(folder)


def test_a_sample_changed_beside_the_page_is_named(folder: Path) -> None:
    path = folder / "samples.csv.gz"
    rows = gzip.decompress(path.read_bytes()).decode().splitlines()
    assert rows[1].count(",51625960,") == 1
    rows[1] = rows[1].replace(",51625960,", ",51625961,")
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    [difference] = verify.verify(folder).differences
    assert difference == Difference(
        "samples.csv.gz", "row 1 (paper 2026-01-01 00:00:00), column value", "51625961", "51625960"
    )
    path.write_bytes(path.read_bytes()[:-9])
    [difference] = verify.verify(folder).differences
    assert difference.place == "the file" and "cannot be read" in difference.shown


def test_samples_packed_by_another_zlib_are_the_same(folder: Path) -> None:
    path = folder / "samples.csv.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1))
    assert verify.verify(folder).differences == ()


def test_a_row_taken_out_is_named(folder: Path) -> None:
    page = folder / "report.html"
    row = r'<tr [^>]*>\n<th scope="row"[^\n]*ResNet-152.*?</tr>\n'
    edit(page, lambda text: re.sub(row, "", text, count=1, flags=re.DOTALL))
    differences = verify.verify(page).differences
    assert {difference.shown for difference in differences} == {"(nothing)"}
    assert all("row 3 (ResNet-152" in difference.place for difference in differences)


def test_a_sample_changed_in_the_page_changes_what_is_recomputed(folder: Path) -> None:
    """And the content hash, in the facts, by which a run is cited."""
    page = folder / "report.html"
    inside = embedded.read(page).report
    first = next(record for record in inside.records if record.measure == "throughput")
    forged = dataclasses.replace(first, values={"throughput": [1000.0]})
    other = dataclasses.replace(
        inside, records=tuple(forged if record is first else record for record in inside.records)
    )
    edit(page, lambda text: text.replace(embedded.pack(inside), embedded.pack(other)))
    differences = verify.verify(page).differences
    assert any("column throughput" in difference.place for difference in differences)
    assert any(
        "SHA-256" in difference.shown and "SHA-256" in difference.recomputed
        for difference in differences
    )


def test_each_file_of_a_folder_is_verified(folder: Path) -> None:
    rendering.write(folder, "page")
    table = "tables/table1-cuda-fp16-nchw-eager-b64-r224"
    edit(folder / "report.md", lambda text: text.replace("| 51.6 |", "| 51.7 |", 1))
    edit(folder / f"{table}.tex", lambda text: text.replace("& 51.6 &", "& 51.7 &"))
    edit(folder / f"{table}.csv", lambda text: text.replace(",51.6,", ",51.7,", 1))
    edit(folder / "results.csv", lambda text: text.replace(",51625960,", ",51625961,"))
    (folder / "figures/figure1.png").write_bytes(b"")
    (folder / "figures/figure1.pdf").unlink()
    (folder / "tables/metrics.csv").unlink()
    (folder / "tables/old.csv").write_text("a\n")
    verified = verify.verify(folder)
    assert {difference.file for difference in verified.differences} == {
        "report.md", f"{table}.tex", f"{table}.csv", "results.csv", "figures/figure1.png",
        "figures/figure1.pdf", "tables/metrics.csv",
    }  # fmt: skip
    results = next(
        difference for difference in verified.differences if difference.file == "results.csv"
    )
    assert results == Difference(
        "results.csv", "row 1 (convmixer_1536_20), column value", "51625961", "51625960"
    )
    markdown = next(
        difference for difference in verified.differences if difference.file == "report.md"
    )
    assert markdown.place.startswith("line ") and "| 51.7 |" in markdown.shown
    assert verified.notes == (
        "tables/old.csv is not made of this run (any more), and was not compared",
    )


def test_a_page_of_another_run_is_no_page_of_this_folder(folder: Path) -> None:
    edit(folder / "records.jsonl", lambda text: text.replace("51625960", "51625970"))
    rendering.write(folder)
    shutil.copy(folder / "report.html", folder / "other.html")
    edit(folder / "records.jsonl", lambda text: text.replace("51625970", "51625960"))
    rendering.write(folder)
    shutil.copy(folder / "other.html", folder / "report.html")
    verified = verify.verify(folder)
    assert verified.differences[0].place == "content hash of the raw samples in it"
    assert verify.verify(folder / "other.html").differences == ()


def test_drawings_of_another_matplotlib_are_not_compared(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = embedded.renderers() | {"matplotlib": "0.1"}
    monkeypatch.setattr(embedded, "renderers", lambda: now)
    page = folder / "report.html"
    edit(page, lambda text: re.sub(r'(<path d="M )\d', r"\g<1>9", text, count=1))
    verified = verify.verify(page)
    assert verified.differences == ()
    assert verified.notes[1] == "drawings were not compared: versions of matplotlib differ"


def test_differences_of_a_page_by_other_code_are_explained(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = folder / "report.html"
    edit(page, lambda text: text.replace("<h1>", "<h1>Our "))
    assert verify.verify(page).differences and verify.verify(page).notes == ()
    made_by, here = embedded.code(), "0" * 12
    monkeypatch.setattr(embedded, "code", lambda: here)
    for path in (page, folder):
        [note] = verify.verify(path).notes
        assert f"made by other code of cmx-bench ({made_by}; this is {here})" in note
        assert "render it anew (cmx-bench report RUN)" in note
    edit(page, lambda text: text.replace("<h1>Our ", "<h1>"))
    assert verify.verify(page).notes == ()


def test_what_cannot_be_verified_is_refused(tmp_path: Path, folder: Path) -> None:
    plain = tmp_path / "plain.html"
    plain.write_text("<html></html>")
    with pytest.raises(RecordsError, match="holds no raw samples"):
        verify.verify(plain)
    with pytest.raises(RecordsError, match="holds no run"):
        verify.verify(tmp_path)
    with pytest.raises(RecordsError, match="cannot be read"):
        verify.verify(tmp_path / "nowhere.html")
    page = folder / "report.html"
    edit(page, lambda text: re.sub(r'"data": "....', '"data": "', text))
    with pytest.raises(RecordsError, match="its raw samples cannot be read"):
        verify.verify(page)


def test_a_run_that_was_killed_before_its_report_is_refused(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in ("run.json", "records.jsonl"):
            path.unlink()
    with pytest.raises(RecordsError, match="has no rendered files to compare; `report` writes"):
        verify.verify(folder)


def test_a_page_is_as_good_as_its_folder(folder: Path) -> None:
    for format in ("csv", "md", "latex", "json"):
        assert rendering.render(folder / "report.html", format) == rendering.render(folder, format)


def test_long_texts_are_shown_where_they_differ() -> None:
    first, other = "x" * 500 + "1" + "y" * 500, "x" * 500 + "2" + "y" * 500
    verified = verify.Verification("h", 1, 1, (Difference("f", "p", first, other),), ())
    line = next(verify.lines(verified))
    assert "x1y" in line and "x2y" in line
    assert len(line) < 400


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_a_page_of_a_folder_with_other_ends_of_lines_is_refused(folder: Path, end: str) -> None:
    page = folder / "report.html"
    page.write_bytes(page.read_bytes().replace(b"\n", end.encode()))
    for path in (page, folder):
        with pytest.raises(RecordsError, match="holds no raw samples"):
            verify.verify(path)


def test_a_page_packed_by_another_zlib_is_the_same(folder: Path) -> None:
    page = folder / "report.html"
    edit(page, lambda text: with_packed(text, unpack(text), level=1))
    assert verify.verify(page).differences == ()


def test_samples_that_unpack_to_much_more_are_not_unpacked(folder: Path) -> None:
    (folder / "samples.csv.gz").write_bytes(gzip.compress(bytes(2**26)))
    [difference] = verify.verify(folder).differences
    assert "it is longer, or cut off" in difference.shown


@pytest.mark.parametrize(
    "name", ["run.json", "records.jsonl", "report.html", "results.csv", "tables", "figures"]
)
def test_no_link_of_a_folder_is_followed(folder: Path, name: str) -> None:
    path = folder / name
    path.rename(folder.parent / name)
    path.symlink_to(folder.parent / name)
    for use in (verify.verify, rendering.write):
        with pytest.raises(RecordsError, match=f"{name}: is a link, and none is followed here"):
            use(folder)


def test_many_lines_that_differ_are_one_place(folder: Path) -> None:
    """To tell each apart takes as long as their number squared, and a stranger chooses it."""
    page = folder / "report.html"
    many = "<p>x</p>\n" * 20_000
    edit(page, lambda text: text.replace("<body>", f"<body>{many}").replace("reveal();", "", 1))
    assert len(verify.verify(page).differences) == 1
