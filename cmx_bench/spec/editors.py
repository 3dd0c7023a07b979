"""The JSON Schema of suites and recipes, by which editors complete and check them.

It is made from the models that read them, and says less: what depends on two keys, on names or on
the machine is told when a file is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import WithDefaultSchema

from cmx_bench.spec.model_entries import (
    ConvMixerEntry,
    DeiTEntry,
    MLPEntry,
    ModelEntry,
    ResNetEntry,
)
from cmx_bench.spec.recipe import Recipe
from cmx_bench.spec.schema import NAME, Strict
from cmx_bench.spec.settings import CpuSetting, CudaSetting
from cmx_bench.spec.suite import Suite

FILES: Mapping[str, type[Strict]] = {"suite": Suite, "recipe": Recipe}

_HEADER = "# yaml-language-server: $schema="
# The entries in which a list in place of a value is a sweep: see `sweeps`.
_SWEPT = (ConvMixerEntry, ResNetEntry, DeiTEntry, MLPEntry, CpuSetting, CudaSetting)
# Names of variants are patterns with the keys that are swept.
_PATTERN = NAME.replace("[A-Za-z0-9]", "[A-Za-z0-9{]", 1).replace(r"\-]", r"\-{}]")


class _Plain(GenerateJsonSchema):
    """Without titles that only repeat keys, and defaults that no file can write."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def default_schema(self, schema: WithDefaultSchema) -> dict[str, Any]:
        written = super().default_schema(schema)
        given = written.get("default")
        if given is None or (written.get("type") == "string" and not isinstance(given, str)):
            written.pop("default", None)
        return written


def json_schema(model: type[Strict]) -> str:
    """The JSON Schema, of draft 2020-12, of the files that `model` reads, as text."""
    schema = model.model_json_schema(schema_generator=_Plain)
    parts = schema["$defs"]
    if model is Suite:
        _sweep(parts)
    whole = {"$schema": GenerateJsonSchema.schema_dialect, **schema}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _sweep(parts: dict[str, Any]) -> None:
    """Allows the lists that `sweeps` turns into an entry for each value before validation."""
    for swept in _SWEPT:
        properties = parts[swept.__name__]["properties"]
        for key in properties.keys() - {"name"}:
            properties[key] = _or_several(properties[key])
    arguments = parts[ModelEntry.__name__]["properties"]["args"]
    [(name, value)] = arguments["patternProperties"].items()
    arguments["patternProperties"] = {name: _or_several(value)}
    arguments["additionalProperties"] = False
    for named in (ModelEntry, CpuSetting, CudaSetting):
        parts[named.__name__]["properties"]["name"]["pattern"] = _PATTERN


def _or_several(value: dict[str, Any]) -> dict[str, Any]:
    without_default = {key: part for key, part in value.items() if key != "default"}
    default = {"default": value["default"]} if "default" in value else {}
    return {
        "anyOf": [without_default, {"type": "array", "items": without_default, "minItems": 1}],
        **default,
    }


def without_header(text: str) -> str:
    """The text of a file that comes along without the line by which editors find the schema of a
    checkout."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(_HEADER))


def header(what: str) -> str:
    """The line by which editors find a schema in the file's folder."""
    return f"{_HEADER}{what}.schema.json"
