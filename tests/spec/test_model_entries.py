"""Entries of models: one source each, what it is made of, and what it is matched to."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cmx_bench.spec.model_entries import MatchEntry, ModelEntry, ResNetEntry


def entry(**fields: Any) -> ModelEntry:
    return ModelEntry.model_validate({"name": "net", **fields})


def test_a_member_of_a_family_is_described_by_what_it_is_made_of() -> None:
    family, arguments = entry(convmixer={"dim": 8, "depth": 2, "optimised": True}).design or (
        "",
        {},
    )
    assert family == "convmixer"
    assert (arguments["dim"], arguments["kernel_size"], arguments["patch_size"]) == (8, 9, 7)
    assert "optimised" not in arguments
    assert entry(timm="resnet18").design is None


def test_optimised_may_be_said_in_two_places() -> None:
    assert entry(convmixer={"dim": 8, "depth": 2, "optimised": True}).is_optimised
    assert entry(timm="convmixer_768_32", optimised=True).is_optimised
    assert not entry(timm="convmixer_768_32").is_optimised


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"timm": "a", "python": "b:c"}, "one of timm and python is enough; keep one"),
        ({"python": "module.function"}, "python is 'module:callable', got 'module.function'"),
        ({"mixer": {"dim": 8, "depth": 1}, "args": {"a": 1}}, "a mixer has its own keys"),
        ({"python": "b:c", "optimised": True}, "goes with a ConvMixer as published, and not with"),
        ({"timm": "a", "args": {"x": []}}, "x"),
    ],
)
def test_what_contradicts_itself_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        entry(**fields)


@pytest.mark.parametrize("layers", ["3-4-6-3", "1-1-1-1", "999-1-10-2"])
def test_four_stages_are_blocks_of_a_resnet(layers: str) -> None:
    assert ResNetEntry(layers=layers).layers == layers


@pytest.mark.parametrize("layers", ["3-4-6", "0-1-1-1", "1000-1-1-1", "3-4-6-3-3", "3.4.6.3"])
def test_others_are_none(layers: str) -> None:
    with pytest.raises(ValidationError, match="expected the blocks of four stages such as 3-4-6-3"):
        ResNetEntry(layers=layers)


def match(**fields: Any) -> MatchEntry:
    return MatchEntry.model_validate({"families": ["deit"], **fields})


def test_a_match_is_to_a_number_or_to_a_model() -> None:
    assert match(match="21.1M").number == 21_100_000
    assert match(match=21_110_248).number == 21_110_248
    by_name = match(match="resnet50", by="both")
    assert (by_name.number, by_name.quantities) == (None, ("params", "macs"))
    assert match(match="4G", by="macs").quantities == ("macs",)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"match": 1.5}, "expected a model or a number such as 21.1M, got a number 1.5"),
        ({"match": True}, "got a boolean True"),
        ({"match": "0.0001k"}, "or a model; got text '0.0001k'"),
        ({"match": "5M", "by": "both"}, "by: both needs a model to match"),
        ({"match": "5M", "within": 0.01}, "expected a percentage"),
    ],
)
def test_what_nothing_can_be_matched_to_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        match(**fields)
