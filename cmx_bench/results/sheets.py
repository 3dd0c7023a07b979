"""Frames as CSV that other programs can read, and samples.csv.gz read back as what it was."""

from __future__ import annotations

import io
import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pandas import DataFrame, Series
from pandas.api.types import is_numeric_dtype

from cmx_bench import units
from cmx_bench.errors import RecordsError
from cmx_bench.results import frame
from cmx_bench.results.swept_arguments import PREFIX, columns_in
from cmx_bench.results.users_frames import missing
from cmx_bench.spec import disk

# What a spreadsheet computes when it opens a table, in East Asia also by wide signs: other programs
# too, or addresses, by DDE. Text that looks as if it was made harmless is too, so that one
# apostrophe can be taken off again.
_FORMULA = re.compile(r"'*(?:[=@\t\r＝＠＋－]|[+-](?![-+±≈%., \d]*$))")


def csv_of(rows: DataFrame) -> str:
    """pandas formats no number that is not whole, and every text is harmless."""
    numbers = {str(name): _texts(column) for name, column in rows.select_dtypes("float64").items()}
    texts = {
        str(name): column.map(harmless, na_action="ignore")
        for name, column in rows.select_dtypes(["object", "string", "category"]).items()
    }
    text: str = rows.assign(**numbers, **texts).to_csv(index=False, lineterminator="\n")
    return text


def harmless(value: object) -> object:
    """A value; of a text no control characters, and an apostrophe before it where a spreadsheet
    would compute it."""
    if not isinstance(value, str):
        return value
    return f"'{units.plain(value)}" if _FORMULA.match(value) else units.plain(value)


def _texts(numbers: Series[float]) -> list[str]:
    """Each number as a text that reads back as the same; empty where there is none."""
    places, unique = pd.factorize(numbers)
    texts = [*map(units.read_back, unique.tolist()), ""]  # the place of a missing one is -1
    return [texts[place] for place in places]


def pack(samples: DataFrame) -> bytes:
    """samples.csv.gz: the frame of samples; the same bytes every time."""
    # As gzip.compress did until Python 3.13, which names another system in the header.
    return zlib.compress(csv_of(spell_details(samples)).encode(), 9, wbits=31)


def spell_details(samples: DataFrame) -> DataFrame:
    """The frame with its `details` as JSON: no file but Python's own has mappings in a column."""
    details = samples["details"]
    texts = {id(detail): json.dumps(detail, allow_nan=False) for detail in details}
    return samples.assign(details=[texts[id(detail)] for detail in details])


# --- reading back ---------------------------------------------------------------------------------


def is_sheet(path: Path) -> bool:
    """Whether a file is, by its name, a frame of samples."""
    return path.is_file() and path.name.endswith((".csv", ".csv.gz"))


def read(path: Path) -> DataFrame:
    """The frame that samples.csv.gz was made of; the order of texts is that of their rows.

    Raises:
        RecordsError: the file cannot be read, or holds no such frame.
    """
    content = disk.bytes_of(path, RecordsError)
    try:
        if content.startswith(b"\x1f\x8b"):
            stream = zlib.decompressobj(wbits=31)
            content = stream.decompress(content, disk.LARGEST)
            if not stream.eof or stream.unused_data:
                raise ValueError("it is cut off, too large, or something follows it")
        texts = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
        if lacking := missing(texts, frame.COLUMNS):
            raise ValueError(f"it lacks {lacking}")
        columns = {str(name): _read_back(str(name), texts[name]) for name in texts}
    except (ValueError, zlib.error) as error:  # also of JSON, of UTF-8, and pandas' own
        reason = " ".join(str(error).split())
        raise RecordsError(f"{path}: holds no samples: {reason}; give the folder of a run, its "
                           f"report.html or its samples.csv.gz") from None  # fmt: skip
    return frame.categorise(DataFrame(columns), {})


def join(parts: Sequence[DataFrame]) -> DataFrame:
    """Frames of samples below each other; text that only some of them have is empty in others."""
    whole = pd.concat(parts, ignore_index=True)
    for column in columns_in(whole):
        if not is_numeric_dtype(whole[column]):
            whole[column] = whole[column].fillna("")
    return frame.categorise(whole, {})


def _read_back(name: str, texts: Series[str]) -> Any:
    """A column as it was before it was written."""
    read = _READERS.get(name, _text if name in frame.TEXTS else _number)
    unique = texts.unique()
    try:
        values = dict(zip(unique, map(read, unique), strict=True))
    except ValueError as error:
        if name.startswith(PREFIX):  # of texts, some of which are no numbers
            return texts.map(_text)
        raise ValueError(f"the column {name}: {error}") from None
    return texts.map(values)


def _text(text: str) -> str:
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _number(text: str) -> float:
    return float(text or "nan")


def _json(text: str) -> str:
    json.loads(text)
    return text


def _flag(text: str) -> bool:
    if text not in ("True", "False"):
        raise ValueError(f"expected True or False, not {text!r}")
    return text == "True"


_READERS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(frame.FLAGS, _flag),
    **dict.fromkeys(("sample", "planned", *frame.NUMBERS), int),
    "details": _json,
    "started": _text,
}
