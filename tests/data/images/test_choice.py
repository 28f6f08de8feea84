"""Which image of a file is meant."""

from pathlib import Path

import pytest

from napari_emssl.data.images.choice import ALL, Choice
from napari_emssl.errors import UserError

NAMES = ["HAADF", "2", "BF"]


@pytest.mark.parametrize(
    ("wanted", "taken"), [(None, [1]), ("haadf", [0]), ("BF ", [2]), ("3", [2]), (1, [0]), ("2", [1]), (ALL, [0, 1, 2])]
)
def test_a_name_a_number_or_all(wanted: str | int | None, taken: list[int]) -> None:
    choice = Choice(Path("a.emd"), wanted)
    assert list(choice(NAMES, 1)) == taken
    assert bool(choice.note) is (wanted is None)


@pytest.mark.parametrize("wanted", ["DF4", "0", "4", "-1", ""])
def test_what_is_not_there_is_refused_with_what_is(wanted: str) -> None:
    with pytest.raises(UserError, match="'HAADF', '2', 'BF'"):
        Choice(Path("a.emd"), wanted)(NAMES, 0)
    with pytest.raises(UserError, match="no name"):
        Choice(Path("a.png"), wanted)([""], 0)


def test_where_nothing_says_which_is_meant_somebody_must() -> None:
    with pytest.raises(UserError, match="--image"):
        Choice(Path("a.h5"), None)(NAMES, None)


def test_a_file_with_one_image_says_nothing() -> None:
    choice = Choice(Path("a.png"), None)
    choice([""], 0)
    assert choice.note == ""
