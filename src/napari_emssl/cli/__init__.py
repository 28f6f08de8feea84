"""The terminal, with one file for each command, named after it; its subfolders may import it."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from ..cpu_threads import wait_passively

__all__ = ["main"]

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status.

    Parameters
    ----------
    arguments
        The words after ``napari-emssl``; by default those of this process.

    Returns
    -------
    int
        0 done, 2 bad input (a sentence is on stderr), 130, 143 or 129 stopped by Ctrl-C, SIGTERM or SIGHUP, 1 a bug.

    """
    wait_passively(os.environ)
    try:
        from .app import run_command_line  # here, so that Ctrl-C while it loads ends in no traceback either

        return run_command_line(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt as error:
        with suppress(OSError):
            print("napari-emssl: Aborted.", file=sys.stderr, flush=True)
        return 128 + getattr(error, "signal_number", INTERRUPTED - 128)
