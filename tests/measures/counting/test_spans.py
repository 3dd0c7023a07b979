"""Dimensions by their strides and reaches, in views and in results."""

from __future__ import annotations

import torch

from cmx_bench.measures.counting import spans


def test_a_dimension_is_its_stride_and_how_far_it_reaches() -> None:
    tensor = torch.empty(2, 1, 3)
    assert spans.of(tensor, [0, 1, -1]) == {(3, 6), (1, 3)}  # of one element there is nothing
    assert spans.everywhere(tensor.expand(2, 5, 3)) == spans.everywhere(tensor)


def test_a_result_shares_the_dimensions_that_neither_operand_is_broadcast_along() -> None:
    out = torch.empty(2, 4, 6)
    assert spans.shared(torch.empty(4, 6), torch.empty(2, 1, 6), out) == spans.of(out, [2])


def test_a_view_meets_the_dimensions_that_it_is_made_of() -> None:
    tensor = torch.empty(4, 6)
    parts = tensor.view(4, 2, 3)
    columns = spans.of(tensor, [1])
    assert all(spans.meet(columns, spans.of(parts, [dim])) for dim in (1, 2))
    assert not spans.meet(columns, spans.of(parts, [0]))


def test_a_dimension_is_found_again_in_the_result() -> None:
    source, out = torch.empty(6), torch.empty(4, 6)
    assert spans.moved(spans.of(source, [0]), source, out) == spans.of(out, [1])
    assert spans.moved(spans.NOWHERE, source, out, anywhere=True) == spans.NOWHERE
    assert spans.moved(spans.of(source, [0]), source, out, anywhere=True) == spans.everywhere(out)
    assert spans.moved(spans.of(out, [1]), out, source) == spans.everywhere(source)


def test_an_expanded_or_unfolded_tensor_is_made_of_fewer_elements() -> None:
    tensor = torch.empty(3, 8)
    assert spans.distinct(tensor) == spans.distinct(tensor[None].expand(5, 3, 8)) == 24
    assert spans.distinct(tensor.unfold(1, 3, 1)) == 24
    assert spans.distinct(tensor[0, ::2]) == 4


def test_a_part_has_one_element_along_a_dimension_of_the_whole() -> None:
    tensor = torch.empty(4, 6)
    known = spans.everywhere(tensor)
    assert spans.place(tensor[:, 2], known) == {(1, 2)}
    assert spans.place(tensor[3], known) == {(6, 3)}
    assert spans.place(tensor[3], spans.of(tensor, [1])) == frozenset()
    # The first one, and every other.
    assert spans.place(tensor[:, 0], known) == spans.place(tensor[:, 1::2], known) == frozenset()
