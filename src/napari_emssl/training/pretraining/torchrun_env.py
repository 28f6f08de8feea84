"""Which of the processes that ``torchrun`` started this one is; read from its environment, without torch."""

import os

from ...errors import UserError


def size() -> int:
    """Return the number of processes of the run; 1 when nothing started several."""
    return _number("WORLD_SIZE", 1)


def rank() -> int:
    """Return this process's number in the run; number 0 leads."""
    return _number("RANK", 0) if size() > 1 else 0


def local_rank() -> int:
    """Return this process's number among those of the run on this machine."""
    return _number("LOCAL_RANK", 0)


def _number(name: str, alone: int) -> int:
    """Return what the environment says, or `alone` where it says nothing."""
    text = os.environ.get(name) or str(alone)
    if not text.isascii() or not text.isdigit():
        raise UserError(f"The environment says {name}={text}, which is not a number. Unset it, or start with torchrun.")
    return int(text)
