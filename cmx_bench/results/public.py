"""Makes of a run what is shown of it: without the paths of the measuring machine.

run.json, records.jsonl and gate.json keep them, for a run goes on where its images and weights lie.
Whoever shows a run or a verdict to others has it through here.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from cmx_bench.results.records import Record, Run

# Folders that are the same on every machine.
_SYSTEM = ("proc", "sys", "dev", "usr", "lib", "lib64", "bin", "sbin", "etc")
# A path alone, in quotes, where NAME= may stand before it, or what begins with a slash behind a
# space or what opens, assigns or separates: in `*/macs`, 5 %/s or an address the slash divides.
_ALONE = re.compile(r"/(?!.*[:;,]|.*\s/).*")
_PATH = re.compile(
    r"""(?<=')(?P<single>[\w.-]*=)?/[^']+(?=')|(?<=")(?P<double>[\w.-]*=)?/[^"]+(?=")"""
    r"""|(?<![^\s'"`“‘«<>(\[{=|;,:&@])(?:file://)?/(?![/\s])[^\s'"`<>|;,:()]+"""
)


def public(run: Run, records: Iterable[Record]) -> tuple[Run, list[Record]]:
    """A run and its records, whose absolute paths end in their last part alone: `…/photos`; the
    name of a model stands behind a label that another has too.

    Claims stay as they are: in a check a slash divides.
    """
    shown: Run = dataclasses.replace(shorten(run), claims=run.claims)
    labels = Counter(model.label for model in shown.models)
    models = (
        dataclasses.replace(model, label=f"{model.label} ({model.name})")
        if labels[model.label] > 1 else model for model in shown.models
    )  # fmt: skip
    return dataclasses.replace(shown, models=tuple(models)), [_record(record) for record in records]


def without_folders(text: str) -> str:
    """A text with shortened absolute paths, except for paths of the system such as /proc."""
    if "/" not in text:
        return text
    return _show(text) if _ALONE.fullmatch(text) else _PATH.sub(_in_text, text)


def _in_text(path: re.Match[str]) -> str:
    key = path["single"] or path["double"] or ""
    return key + _show(path[0].removeprefix(key).removeprefix("file://"))


def _show(path: str) -> str:
    """The last part of an absolute path; all of one that every machine has, or that has no more
    than that part, as a tag `</b>` seems to be."""
    _, *parts = PurePath(path).parts
    return path if len(parts) < 2 or parts[0] in _SYSTEM else f"…/{parts[-1]}"


def _record(record: Record) -> Record:
    reason, details = without_folders(record.reason), shorten(record.details)
    if reason == record.reason and details is record.details:
        return record
    return dataclasses.replace(record, reason=reason, details=details)


def shorten(value: Any) -> Any:
    """A value of this type, such as a verdict, with the absolute paths in all of its texts
    shortened; the same one where nothing changes. Keys of mappings stay."""
    if isinstance(value, str):
        return without_folders(value)
    if isinstance(value, Mapping):
        changed = {key: shorten(part) for key, part in value.items()}
        return value if all(changed[key] is value[key] for key in value) else changed
    if isinstance(value, list | tuple):
        items = [shorten(part) for part in value]
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else type(value)(items)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        changed = {name: shorten(part) for name, part in fields.items()}
        same = all(changed[name] is fields[name] for name in fields)
        return value if same else dataclasses.replace(value, **changed)
    return value
