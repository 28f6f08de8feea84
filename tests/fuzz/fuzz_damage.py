"""How files are damaged and falsified, at random but the same for the same seed."""

from collections.abc import Callable

import numpy as np

EXTREME = (0, 1, 2, 3, 7, 255, 256, 65_535, 65_536, 10**6, 2**31 - 1, 2**31, 2**32 - 1, 10**9, 2**63 - 1, 2**64 - 1)
WORDS = (b"0", b"-1", b"1", b"3", b"65536", b"999999999", b"9" * 18, b"9" * 400, b"1e400", b"NaN", b"0.0", b"-7.5")
FALSE = (
    None, True, 0, 1, -1, 3, 2**31, 10**30, 0.5, -1e308, float("inf"), float("nan"), "", "x", "\x1b[31m", "a" * 5000,
    [], [0], {}, {"x": 1}, [[[[]]]], "../../etc/passwd", "unet-2-44", "segment", "hrnet-w18-small",
)  # fmt: skip
_Random = np.random.Generator


def damage(content: bytes, rng: _Random) -> bytes:
    """Return bytes that are not what was written: one or a few faults, half of them in the first 400 bytes."""
    for _ in range(int(rng.choice([1, 1, 1, 2, 4]))):
        reach = min(len(content), 400) if rng.random() < 0.5 else len(content)
        if reach:
            content = _FAULTS[int(rng.integers(len(_FAULTS)))](content, int(rng.integers(reach)), rng)
    return content


def _cut(content: bytes, at: int, rng: _Random) -> bytes:
    return content[: at if rng.random() < 0.5 else max(len(content) - 1 - at % 64, 0)]


def _flip(content: bytes, at: int, rng: _Random) -> bytes:
    changed = bytearray(content)
    changed[at] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _claim(content: bytes, at: int, rng: _Random) -> bytes:
    """Write a number that is far from what can be where a header may have one."""
    size = int(rng.choice([1, 2, 4, 8]))
    order = "little" if rng.random() < 0.7 else "big"
    value = EXTREME[int(rng.integers(len(EXTREME)))] & (256**size - 1)
    at -= at % min(size, 4)
    return content[:at] + value.to_bytes(size, order) + content[at + size :]


def _word(content: bytes, at: int, rng: _Random) -> bytes:
    """Write another number over digits in a text, or take a byte away where there are none."""
    start = next(
        (place for place in range(at, min(at + 300, len(content))) if content[place : place + 1].isdigit()), -1
    )
    if start < 0:
        return content[:at] + content[at + 1 :]
    end = start
    while content[end : end + 1].isdigit():
        end += 1
    return content[:start] + WORDS[int(rng.integers(len(WORDS)))] + content[end:]


def _blank(content: bytes, at: int, rng: _Random) -> bytes:
    length = int(rng.integers(1, 64))
    value = bytes([int(rng.choice([0, 255, 32]))])
    return content[:at] + value * min(length, len(content) - at) + content[at + length :]


def _noise(content: bytes, at: int, rng: _Random) -> bytes:
    noise = rng.bytes(int(rng.integers(1, 16)))
    return content[:at] + noise + content[at + len(noise) :]


def _lose(content: bytes, at: int, rng: _Random) -> bytes:
    return content[:at] + content[at + int(rng.integers(1, 200)) :]


def _repeat(content: bytes, at: int, rng: _Random) -> bytes:
    part = content[at : at + int(rng.integers(1, 200))]
    return content[:at] + part * int(rng.choice([2, 3, 50])) + content[at:]


def _append(content: bytes, at: int, rng: _Random) -> bytes:
    return content + rng.bytes(at % 300)


_FAULTS: tuple[Callable[[bytes, int, _Random], bytes], ...] = (
    _cut, _flip, _flip, _claim, _claim, _word, _blank, _noise, _lose, _repeat, _append,
)  # fmt: skip


def falsify(content: object, rng: _Random, values: tuple[object, ...] = FALSE) -> object:
    """Return lists and dictionaries with one value replaced, lost or of an unknown name, and all else as it was."""
    if isinstance(content, dict) and content and rng.random() < 0.93:
        name = list(content)[int(rng.integers(len(content)))]
        others = {key: value for key, value in content.items() if key != name}
        if rng.random() < 0.08:
            return others if rng.random() < 0.5 else {**content, "unknown": 1}
        return {**others, name: falsify(content[name], rng, values)}
    if isinstance(content, list | tuple) and content and rng.random() < 0.85:
        place = int(rng.integers(len(content)))
        return [*content[:place], falsify(content[place], rng, values), *content[place + 1 :]]
    return values[int(rng.integers(len(values)))]
