"""What a tensor holds of several products."""

from __future__ import annotations

import torch

from cmx_bench.measures.counting import spans
from cmx_bench.measures.counting.known import Grown, Product, anywhere, join


def test_what_holds_several_products_may_be_added_up_as_each_of_them() -> None:
    tensor = torch.empty(4, 6)
    rows, columns = spans.of(tensor, [0]), spans.of(tensor, [1])
    joined = join([Product(Grown.COUNTED, sums=rows), Product(Grown.WHOLE, means=columns)])
    assert joined == Product(Grown.WHOLE, rows, columns)
    assert join([]) == Product()
    assert anywhere(tensor).sums == anywhere(tensor).means == rows | columns
