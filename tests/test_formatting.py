"""Numbers as people say them."""

import pytest

from napari_emssl.formatting import counted, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (185, "3 min 5 s"),
        (3599.7, "1 h 0 min"),
        (7800, "2 h 10 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_one_is_not_plural() -> None:
    assert [counted(n, "plane") for n in (0, 1, 2)] == ["0 planes", "1 plane", "2 planes"]
    assert [counted(n, "class", "classes") for n in (1, 2)] == ["1 class", "2 classes"]
