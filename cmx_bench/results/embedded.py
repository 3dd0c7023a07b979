"""A run's raw samples inside its page: packed, and read again so that the page can be verified."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import re
import zlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cmx_bench import __version__
from cmx_bench.errors import RecordsError
from cmx_bench.results import agreement, records
from cmx_bench.results.nouns import Report
from cmx_bench.results.reading import summarise

# Data, which no browser runs; numbered where a page holds several runs. It has no "<", so that
# nothing that a browser shows passes for data.
_BLOCK = re.compile(
    r'(<script type="application/json" id="cmx-bench-data(?:-\d+)?">\n)([^<]*)(\n</script>)'
)


@dataclass(frozen=True, slots=True)
class Embedded:
    """What a page holds of a run: the report that its raw samples make, and what it was rendered
    with. Beside others it has the `path` that the run was given by."""

    report: Report
    rendered_with: dict[str, str]
    path: str = ""

    @property
    def versions_apart(self) -> dict[str, tuple[str, str | None]]:
        """The packages that it was rendered with in other versions than there are now: those."""
        now = renderers()
        return {
            package: (then, now.get(package))
            for package, then in self.rendered_with.items()
            if then != now.get(package)
        }


def pack(report: Report, path: str = "") -> str:
    """JSON with the run and its records, compressed: the same text for the same records."""
    names = [one.name for one in dataclasses.fields(records.Record)]
    raw = {
        "run": dataclasses.asdict(report.run),
        # Not by asdict, which copies every sample: 0.4 s for 10,000 records.
        "records": [{name: getattr(one, name) for name in names} for one in report.records],
        "unfinished": report.unfinished,
        "votes": agreement.packed(report.votes),
        "thumbnails": {
            place: base64.b64encode(jpeg).decode() for place, jpeg in report.thumbnails.items()
        },
        **({"path": path} if path else {}),
    }
    packed = zlib.compress(json.dumps(raw, separators=(",", ":")).encode(), 9)
    block = {
        "rendered_with": renderers(),
        "encoding": "URL-safe base64 of zlib of JSON",
        "data": base64.urlsafe_b64encode(packed).decode(),
    }
    return json.dumps(block, indent=0)


def renderers() -> dict[str, str]:
    """The packages that a page's bytes depend on, with their versions."""
    drawing = ("matplotlib", "seaborn", "pandas", "numpy")
    return {"cmx-bench": __version__} | {package: version(package) for package in drawing}


def unpack(page: str, where: str) -> tuple[Embedded, ...]:
    """What the text of a page holds, run by run.

    Raises:
        RecordsError: nothing, or what cannot be read; `where` is the page's name.
    """
    if not (blocks := [data for _, data, _ in _BLOCK.findall(page)]):
        raise RecordsError(
            f"{where}: holds no raw samples: no page of a report, or an earlier cmx-bench "
            "rendered it; render it again: cmx-bench report RUN..."
        )
    return tuple(_unpacked(block, where) for block in blocks)


def _unpacked(text: str, where: str) -> Embedded:
    try:
        block = json.loads(text)
        raw: dict[str, Any] = json.loads(zlib.decompress(base64.urlsafe_b64decode(block["data"])))
        run = records.run_of(raw["run"], where)
        read = records.records_of(raw["records"], where, run)
        made = dataclasses.replace(
            summarise(run, read, raw["unfinished"]),
            votes=agreement.unpacked(raw["votes"]),
            thumbnails={
                int(place): base64.b64decode(jpeg) for place, jpeg in raw["thumbnails"].items()
            },
        )
        return Embedded(made, dict(block["rendered_with"]), str(raw.get("path", "")))
    except (binascii.Error, zlib.error, ValueError, KeyError, TypeError) as error:
        raise RecordsError(f"{where}: its raw samples cannot be read: {error}") from error


def read(page: Path) -> Embedded:
    """What a run's page holds.

    Raises:
        RecordsError: the file cannot be read, or holds nothing that can, or several runs.
    """
    runs = unpack(records.text_of(page), str(page))
    if len(runs) > 1:
        raise RecordsError(f"{page}: holds {len(runs)} runs; expected the page of one")
    return runs[0]


def without(page: str) -> str:
    """The page's text with nothing in the blocks that hold data."""
    return _BLOCK.sub(r"\1\3", page)
