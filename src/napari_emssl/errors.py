"""The one error that is meant for the user's eyes."""

import re

_LONG_WORD = re.compile(r"(\S{300})\S{100,}(\S{40})")
"""What a damaged file may hold in place of a name; paths are hardly ever so long."""


class UserError(ValueError):
    """Something the user can put right: its text says in a sentence or two what is wrong and what to do.

    The terminal prints it on stderr and exits with status 2; the docks show it as a message.
    """

    def __str__(self) -> str:
        return _LONG_WORD.sub(r"\1...\2", super().__str__())
