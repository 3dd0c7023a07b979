"""What models are made of: the files of users' ones, and the images that int8 ones are calibrated
on. Each model of a run is made of one thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cmx_bench.models.importing import Origin
    from cmx_bench.results.records import Record


def of(records: Iterable[Record]) -> dict[str, Origin]:
    """The origin of each model of which there are records that say it."""
    return {
        record.model: record.details["origin"] for record in records if record.details.get("origin")
    }


def sources(model: str, setting: str, details: Mapping[str, Any]) -> dict[str, Origin]:
    """What the details of a record say that its model is made of: files by the name of the model,
    images by those of model and setting, for each size has pixels of its own."""
    told = {}
    if origin := details.get("origin"):
        told[model] = origin
    if images := details.get("runtime", {}).get("calibration"):
        told[f"{model} {setting}"] = {"file": images["source"], "sha256": images["sha256"]}
    return told


def other_before(model: str, origin: Origin, known: dict[str, Origin]) -> Origin | None:
    """The origin that a model had before, where its content is another now; None where it is not.

    Args:
        known: the origins so far, by model; the first of a model is added.
    """
    if not origin:
        return None
    first = known.setdefault(model, origin)
    return first if first["sha256"] != origin["sha256"] else None


def describe(origin: Origin) -> str:
    """`mynet.py (1f0a…)`: a file, and the beginning of its hash."""
    return f"{origin['file']} ({origin['sha256'][:12]})"
