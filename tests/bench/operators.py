"""Counts each operator that torch tests, one by one: which are counted, free and refused.

Run by hand: ``python tests/bench/operators.py`` takes the operators of torch's ``op_db``, which
needs the package expecttest, each with its first sample inputs. Exit code 1 where one that
multiplies and adds up counts nothing, or where 5 % or more of those without such work are refused.
``--all`` prints a line for each operator.
"""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_flatten, tree_map_only, tree_unflatten

from cmx_bench.errors import CountError
from cmx_bench.measures.counting.twice import count_module

# What multiplies and adds up, by the beginning of its name: products, convolutions and attention;
# Fourier transforms; factorisations and solvers; distances made of products.
WORKS = re.compile(
    r"""
    __rmatmul__|addbmm|addmm|addmv|baddbmm|bmm|chain_matmul|corrcoef|cov$|dot|einsum|inner|matmul|mm$|
    mv$|tensordot|vdot|linalg\.(?!cross|diagonal|norm|vander|vector_norm)|norm\.nuc|
    nn\.functional\.(bilinear|conv|cosine_sim|embedding_bag|linear|multi_head|scaled_dot)|
    fft\.(?!fftshift|ifftshift)|stft|istft|
    c?dist$|cholesky|geqrf|logdet|lu|matrix_exp|nn\.functional\.pdist|ormqr|pca_lowrank|pinverse|
    qr|svd|triangular_solve|sparse|torch\._scaled_mm|torch\.ops\.aten\._scaled_dot|
    torch\.ops\.aten\._flash|torch\.ops\.aten\._efficient
    """,
    re.VERBOSE,
)
SAMPLES = 40


class Operator(nn.Module):
    """A model that is one call, and gives its last input too: a model depends on its images."""

    def __init__(self, call: Callable[..., Any], arguments: Any) -> None:
        super().__init__()
        leaves, self.form = tree_flatten(arguments)
        self.places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
        self.others = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        self.tensors = (*tensors, torch.empty(1, device="meta"))
        self.call = call

    def forward(self, *tensors: Tensor) -> Any:
        leaves = list(self.others)
        for place, tensor in zip(self.places, tensors[:-1], strict=True):
            leaves[place] = tensor
        positional, named = tree_unflatten(leaves, self.form)
        return self.call(*positional, **named), tensors[-1]


def samples(info: Any) -> Iterator[Operator]:
    """The calls that torch tests the operator with, on the meta device."""
    dtype = torch.float32 if torch.float32 in info.dtypes else next(iter(info.dtypes))
    for sample in islice(info.sample_inputs("cpu", dtype), SAMPLES):
        arguments = ((sample.input, *sample.args), sample.kwargs)
        yield Operator(info.op, tree_map_only(Tensor, lambda tensor: tensor.to("meta"), arguments))


def outcome(info: Any, works: bool) -> tuple[str, str]:
    """What the samples say: counted, free, refused all, or not on the meta device."""
    reasons = []
    counts = []
    for model in samples(info):
        try:
            counts.append(count_module(model, *model.tensors).macs)
        except CountError as error:
            reasons.append(str(error))
    if any(counts):
        return "counted", f"{max(counts)} MACs"
    if reasons and (works or not counts):  # a power of 1 is free, others of a matrix are not
        words = [why for why in reasons if not why.startswith("forward fails")]
        return ("refused", words[0]) if words else ("fails on meta", reasons[0])
    return ("free", "") if counts else ("no samples", "")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--all", action="store_true", help="a line for each operator")
    everything = parser.parse_args().all
    warnings.simplefilter("ignore")
    print(f"torch {torch.__version__}")
    kinds: Counter[tuple[bool, str]] = Counter()
    for info in op_db:
        name = ".".join(filter(None, (info.name, info.variant_test_name)))
        if not info.dtypes:
            continue
        works = bool(WORKS.match(name))
        kind, why = outcome(info, works)
        kinds[works, kind] += 1
        wrong = kind == "free" if works else kind in {"counted", "refused"}
        if everything or wrong:
            print(f"{name:50}{'works' if works else '':6}{kind:14}{why}"[:200])
    for works in (True, False):
        mine = {kind: count for (of, kind), count in kinds.items() if of == works}
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(mine.items()))
        print(f"{'multiply and add up' if works else 'do not'}: {sum(mine.values())}: {counts}")
    idle = sum(count for (works, _), count in kinds.items() if not works)
    refused = kinds[False, "refused"] / idle
    print(f"{refused:.1%} of those without cost are refused")
    return 0 if not kinds[True, "free"] and refused < 0.05 else 1


if __name__ == "__main__":
    sys.exit(main())
