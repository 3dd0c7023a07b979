"""Matches: how near they come, by which rules, and always the same."""

from __future__ import annotations

import random

import pytest

from cmx_bench.cell import Family
from cmx_bench.designs import FAMILIES, find_published, search
from cmx_bench.designs.mlp import MLP
from cmx_bench.designs.search import Target, find
from cmx_bench.errors import MatchError

RIVALS: tuple[Family, ...] = ("resnet", "deit", "resmlp", "mixer")


@pytest.mark.parametrize("params", [21_110_248, 51_625_960])
@pytest.mark.parametrize("family", RIVALS)
def test_the_papers_models_are_matched_closely(family: Family, params: int) -> None:
    match = find(family, Target({"params": params}))
    assert match.residual == match.params / params - 1
    assert abs(match.residual) <= 0.002


@pytest.mark.parametrize("family", RIVALS)
def test_targets_between_five_and_a_hundred_million(family: Family) -> None:
    draw = random.Random(family)
    targets = [round(10 ** draw.uniform(6.7, 8)) for _ in range(10)]
    residuals = [abs(find(family, Target({"params": params})).residual) for params in targets]
    assert max(residuals) <= 0.01
    assert sum(residual <= 0.002 for residual in residuals) >= 8


@pytest.mark.parametrize("name", [name for members in FAMILIES.values() for name in members])
def test_a_published_member_matches_itself(name: str) -> None:
    design = find_published(name)
    assert design is not None
    family = next(family for family, members in FAMILIES.items() if name in members)
    match = find(family, Target({"params": design.params(10, 192)}, classes=10, image_size=192))
    assert (match.name, match.changes, match.residual, match.nearest) == (name, [], 0, name)


def test_what_is_shown_of_a_match() -> None:
    match = find("deit", Target({"params": 21_110_248}))
    assert match.base == match.nearest == "deit_small_patch16_224"
    assert match.changes == ["MLP ratio 4.00 → 3.73"]
    assert match.name == "deit_384_12_heads6_mlp1432"
    assert match.nearest_residual == 22_050_664 / 21_110_248 - 1


def test_macs_and_both() -> None:
    by_macs = find("mixer", Target({"macs": 4_000_000_000}))
    assert by_macs.residual == by_macs.macs / 4e9 - 1
    assert abs(by_macs.residual) <= 0.002
    small = Target({"params": 25_300_000, "macs": 4_150_000_000})
    both = find("resnet", small, within=0.02)
    residuals = [both.params / 25_300_000 - 1, both.macs / 4_150_000_000 - 1]
    assert both.residual == max(residuals, key=abs)
    assert small.text == "25,300,000 parameters and 4,150,000,000 MACs"


def test_the_head_counts() -> None:
    """A head of 1000 classes is most of a small model: with ten, another member matches."""
    wide, narrow = (find("resnet", Target({"params": 500_000}, n, 32)) for n in (10, 100))
    assert wide.design != narrow.design
    assert all(abs(match.residual) <= 0.01 for match in (wide, narrow))


@pytest.mark.parametrize(
    ("family", "target", "message"),
    [
        ("resmlp", Target({"params": 1000}), "resmlp: no member is within 1.0 % of 1,000 param"),
        ("deit", Target({"params": 10**12}), "the nearest, deit_3072_18_heads48_mlp13824, has 2,"),
        ("mixer", Target({"params": 10**6}, image_size=8), "images of 8 px are smaller than its p"),
        (
            "deit",
            Target({"params": 21_110_248, "macs": 20_676_851_712}),
            "of 21,110,248 parameters and 20,676,851,712 MACs; the nearest, deit_",
        ),
    ],
)
def test_what_cannot_be_matched(family: Family, target: Target, message: str) -> None:
    with pytest.raises(MatchError) as error:
        find(family, target)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_within_is_what_is_asked_for() -> None:
    target = Target({"params": 21_110_248})
    exact = find("mixer", target, within=0.05)
    assert exact == find("mixer", target, within=abs(exact.residual))
    with pytest.raises(MatchError, match="allow more with `within`, or leave mixer out"):
        find("mixer", target, within=0.0001)


def candidate(base: str, design: MLP, residual: float) -> search._Candidate:
    start = FAMILIES[design.family][base]
    return search._Candidate(base, design, residual, search._cost(start, design))


def test_the_least_changed_of_the_close_ones_or_else_the_nearest() -> None:
    """Arithmetic: a change counts 0.1 and its logarithm, a width to be padded 0.1."""
    wider = candidate("mixer_s16_224", MLP("mixer", 520, 8), -0.002)
    two = candidate("mixer_s16_224", MLP("mixer", 504, 9), 0.0001)
    far = candidate("mixer_s16_224", MLP("mixer", 512, 8), 0.0021)
    assert (far.cost, wider.cost, two.cost) == (
        0,
        pytest.approx(0.1 + 0.015504, abs=1e-6),
        pytest.approx(0.2 + 0.015748 + 0.117783, abs=1e-6),
    )
    padded = candidate("mixer_s16_224", MLP("mixer", 508, 8), 0.0)
    assert padded.cost == pytest.approx(0.2 + 0.007843, abs=1e-6)
    assert search._best([two, far, padded, wider], 0.01) == wider
    near = candidate("mixer_s16_224", MLP("mixer", 504, 9), 0.003)
    published = candidate("mixer_s16_224", MLP("mixer", 512, 8), 0.009)
    assert search._best([near, published], 0.01) == published  # the least changed of the accepted
    assert search._best([near, published], 0.001) == near  # the nearest, for the refusal


@pytest.mark.parametrize(
    ("params", "names"),
    [
        (
            21_110_248,
            ["resnet_4_5_7_4_w52", "deit_384_12_heads6_mlp1432", "resmlp_312_25_p16",
             "mixer_548_8_p16"],
        ),
        (
            51_625_960,
            ["resnet_4_6_31_4_w60", "deit_576_12_heads9_mlp2488", "resmlp_408_37_p16",
             "mixer_712_12_p16"],
        ),
    ],
)  # fmt: skip
def test_rivals_of_the_papers_models_stay_the_same(params: int, names: list[str]) -> None:
    """Runs of other days and machines measure the same models."""
    assert [find(rival, Target({"params": params})).name for rival in RIVALS] == names


def test_a_published_member_that_is_close_stays_as_it_is() -> None:
    """86,567,656 are 0.19 % fewer."""
    match = find("deit", Target({"params": 86_730_000}))
    assert (match.name, match.changes) == ("deit_base_patch16_224", [])


def test_an_image_may_be_no_larger_than_a_patch() -> None:
    design = FAMILIES["mixer"]["mixer_s16_224"]
    target = Target({"params": design.params(10, 16)}, classes=10, image_size=16)
    assert find("mixer", target).name == "mixer_s16_224"
    with pytest.raises(MatchError, match="images of 15 px are smaller than its patches"):
        find("mixer", Target({"params": 10**6}, image_size=15))


@pytest.mark.parametrize("params", [5, 10**12])
def test_beyond_all_members_the_nearest_is_named(params: int) -> None:
    with pytest.raises(MatchError, match="no member is within 1.0 % of .* the nearest, mixer_"):
        find("mixer", Target({"params": params}))


@pytest.mark.parametrize("macs", [0.5, 1, 2])
@pytest.mark.parametrize("family", ["resnet", "deit"])
def test_of_two_amounts_that_disagree_all_steps_between_are_candidates(
    family: Family, macs: float
) -> None:
    """By trying every step of every row."""
    base = next(iter(FAMILIES[family].values()))
    target = Target(
        {"params": 2 * base.params(1000, 224), "macs": int(macs * base.macs(1000, 224))}
    )
    candidates = list(search._candidates("base", base, target))
    every = [search._residual(row.make(step), target) for row in base.rows() for step in row.steps]
    nearest = min([search._residual(base, target), *every], key=abs)
    assert min((each.residual for each in candidates), key=abs) == nearest
    assert len(candidates) < len(every)
