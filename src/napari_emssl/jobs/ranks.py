"""Which of the processes that ``torchrun`` started this one is; read from its environment, without torch."""

import os


def size() -> int:
    """Return the number of processes of the run; 1 when nothing started several."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Return this process's number in the run; number 0 leads."""
    return int(os.environ.get("RANK", "0")) if size() > 1 else 0


def local_rank() -> int:
    """Return this process's number among those of the run on this machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))
