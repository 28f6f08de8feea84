"""Exit statuses of the terminal; a signal ends with 128 plus its number, so Ctrl-C with 130."""

DONE = 0
BUG = 1
BAD_INPUT = 2
DIVERGED = 3
"""Training ended itself; what was written are the best weights from before."""
INTERRUPTED = 130
