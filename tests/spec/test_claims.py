"""The grammar of checks: what it reads, and where it says a mistake is."""

from __future__ import annotations

import pytest

from cmx_bench.spec.claims import (
    MOST_TOKENS,
    CheckError,
    Comparison,
    Joined,
    Number,
    Operation,
    Value,
    Within,
    parse,
    words,
)

MODELS = ("a", "my-net.v2", "7b", "resnet50")
A, NET = Value("params", "a"), Value("params", "my-net.v2")


def test_a_comparison_of_two_models() -> None:
    assert parse("params(a) < params( my-net.v2 )", MODELS) == Comparison("<", A, NET)
    assert parse("params(7b)>=1", MODELS).left == Value("params", "7b")  # type: ignore[union-attr]


def test_products_bind_closer_than_sums_and_sums_than_comparisons() -> None:
    condition = parse("params(a) + 2 * params(my-net.v2) / 4 > 1", MODELS)
    product = Operation("/", Operation("*", Number(2, "2"), NET), Number(4, "4"))
    assert condition == Comparison(">", Operation("+", A, product), Number(1, "1"))


def test_subtraction_is_left_to_right_and_parentheses_group() -> None:
    one, two = Number(1, "1"), Number(2, "2")
    condition = parse("params(a) - 1 - 2 > 1", MODELS)
    assert condition == Comparison(">", Operation("-", Operation("-", A, one), two), one)
    condition = parse("params(a) - (1 - 2) > 1", MODELS)
    assert condition == Comparison(">", Operation("-", A, Operation("-", one, two)), one)


def test_and_binds_closer_than_or() -> None:
    one, two, three = (Comparison("<", A, Number(n, str(n))) for n in (1, 2, 3))
    text = "params(a) < 1 or params(a) < 2 and params(a) < 3"
    assert parse(text, MODELS) == Joined("or", (one, Joined("and", (two, three))))
    grouped = "(params(a) < 1 or params(a) < 2) and (params(a) < 3)"
    assert parse(grouped, MODELS) == Joined("and", (Joined("or", (one, two)), three))


def test_intervals_hold_percentages_and_negative_numbers() -> None:
    condition = parse("top1(a) - top1(resnet50) in [-0.5%, 1e-2]", MODELS)
    assert isinstance(condition, Within)
    assert (condition.low.value, condition.high.value) == (-0.005, 0.01)


def test_typeset_signs_are_the_plain_ones() -> None:
    plain = parse("-params(a) * 2 / 3 - 1 <= 4 or params(a) >= 1", MODELS)
    assert parse("−params(a) × 2 ÷ 3 − 1 ≤ 4 or params(a) ≥ 1", MODELS) == plain


def test_memory_is_peak_memory() -> None:
    assert parse("memory(a) < 1", MODELS) == parse("peak_memory(a) < 1", MODELS)


def test_accuracy_is_known_before_it_can_be_measured() -> None:
    assert parse("top1(a) > top5(resnet50)", MODELS)


@pytest.mark.parametrize(
    ("check", "at", "message"),
    [
        (
            "thruput(a) > 1",
            0,
            "unknown metric 'thruput', did you mean 'throughput' or 'train_throughput'?",
        ),
        ("1 < params(resnet05)", 11, "unknown model 'resnet05', did you mean 'resnet50'?"),
        ("params(zzz) > 1", 7, "unknown model 'zzz'; the suite has none of that name"),
        ("params(a) = 1", 10, "'=' is no sign of a check (known: < <= >"),
        ("params(a) > 1; import os", 13, "';' is no sign"),
        ("__import__('os')", 11, '"\'" is no sign of a check'),
        ("__import__(os) > 1", 0, "unknown metric '__import__' (known: params, trainable_params"),
        ("params a > 1", 0, "expected a metric of a model such as params(resnet50), got 'params'"),
        ("params(a)", 0, "params(a) is a number; expected a comparison such as params(a) > 1"),
        ("params(a) > 1 and 2", 14, "'and' joins comparisons; 2 is a number"),
        ("(params(a) > 1) * 2 > 1", 16, "'*' needs numbers, and one side is a comparison"),
        ("1 < params(a) < 3", 14, "expected 'and', 'or' or the end, got '<'"),
        ("params(a) in [3, 1]", 17, "nothing lies in [3, 1]; give the smaller one first"),
        ("params(a) in [1, params(a)]", 17, "expected a number, got 'params(a)'"),
        ("params(a) in 1", 13, "expected '[', got '1'"),
        ("(params(a) > 1", 14, "expected ')', got the end"),
        ("params(a) >", 11, "expected a number or a metric of a model, got the end"),
        ("", 0, "expected a number or a metric of a model, got the end"),
        ("params(a) > 1e400", 12, "1e400 is too large for a number"),
        ("params(a) > 0.01e-400", 12, "0.01e-400 is too small for a number"),
        ("params(a) in [0, 1e999%]", 17, "1e999% is too large for a number"),
        ("9" * 400 + " > params(a)", 0, f"{'9' * 39}… is too large for a number"),
        ("params(a) > nan", 12, "expected a metric of a model such as params(resnet50), got 'nan'"),
        (
            "params(a) > -inf",
            13,
            "expected a metric of a model such as params(resnet50), got 'inf'",
        ),
        ("params(a) > ٣", 12, "'٣' is no sign of a check"),
        ("params(a) > 1_000", 13, "expected 'and', 'or' or the end, got '_000'"),
        ("(" * 5000, MOST_TOKENS, "is longer than 100 words and signs; make it two claims"),
    ],
)
def test_a_mistake_is_found_where_it_stands(check: str, at: int, message: str) -> None:
    with pytest.raises(CheckError) as error:
        parse(check, MODELS)
    assert str(error.value).startswith(message)
    assert error.value.at == at


@pytest.mark.parametrize(
    "text",
    ["params(a) / params(my-net.v2)", "(params(a) + 2) * 3", "params(a) - (1 - 2)", "1 / (2 / 3)"],
)
def test_a_quantity_is_said_as_it_was_written(text: str) -> None:
    condition = parse(f"{text} > 1", MODELS)
    assert isinstance(condition, Comparison)
    assert words(condition.left) == text


def test_the_longest_check_is_read() -> None:
    assert parse(" + ".join(["1"] * (MOST_TOKENS // 2 - 1)) + " > 1", MODELS)
    assert parse("(" * 40 + "params(a)" + ")" * 40 + " > 1", MODELS)
