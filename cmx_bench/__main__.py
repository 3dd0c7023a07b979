"""`python -m cmx_bench`."""

from cmx_bench.cli import main

main()
