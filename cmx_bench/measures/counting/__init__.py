"""Counts multiply-accumulates on the meta device, where tensors have shapes and no values.

1. The model runs once, and `dispatched` sees each operator that torch runs. One has a rule, or the
   user's word (`given`), or is known to be free (`free`), or torch writes it with others, which are
   seen instead. Any other is refused by name, so that nothing is left out.
2. `products` follows what free operators multiply elementwise and add up: such MACs count too, or
   are refused. `aten` says what each operator does to a product, `known` what is known of a tensor,
   `effects` what follows for a result, and `spans` where its dimensions lie.
3. The model is traced, and fvcore adds up the trace by other rules (`traced`): to the same sum.

MACs that no output depends on are refused as well, for a compiler may leave them out. `twice` does
all this in its order, and `tracing` has what a model needs to run so.
"""
