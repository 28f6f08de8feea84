"""Numbers as people say them."""

import pytest

from napari_emssl.formatting import counted, duration, significant


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


@pytest.mark.parametrize(
    ("value", "text"),
    [(14, "14.00"), (0.97549, "0.9755"), (12345.6, "12346"), (-3.25, "-3.250"), (0, "0.000"), (2e-6, "2e-06")],
)
def test_numbers_are_aligned_and_large_ones_written_out(value: float, text: str) -> None:
    assert significant(value) == text
