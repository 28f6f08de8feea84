"""JSON from files that anybody may have written, read within bounds."""

import json
import re

MOST_BYTES = 64 << 20
"""No document of ours comes near this."""
MOST_LEVELS = 40
"""Lists and objects in one another; ours have six."""
_NOT_NESTING = re.compile(r'"(?:[^"\\]|\\.)*"|[^\[\]{}"]+', re.DOTALL)


def parse_json(text: str | bytes) -> object:
    """Return what a JSON document holds.

    Raises
    ------
    ValueError
        When it is no JSON, is very large or very deep, or holds a number of thousands of digits: `json` itself raises
        errors of several kinds for these, and what it does read brings down whoever walks through it.

    """
    if len(text) > MOST_BYTES:
        raise ValueError(f"it has {len(text)} bytes, far more than any document of this kind")
    plain = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    level = 0
    for bracket in _NOT_NESTING.sub("", plain):
        level += 1 if bracket in "[{" else -1
        if level > MOST_LEVELS:
            raise ValueError(f"its lists and objects are nested more than {MOST_LEVELS} deep")
    return json.loads(plain)
