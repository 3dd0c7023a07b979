"""`python -m cmx_bench`."""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # no traceback out of an import
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from cmx_bench.cli import main

main()
