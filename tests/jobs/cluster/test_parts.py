"""Parts of work for several machines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_emssl.errors import UserError
from napari_emssl.jobs.cluster.parts import Part, in_groups, read_part


@given(st.lists(st.integers(), max_size=30), st.integers(1, 9))
def test_parts_and_groups_hold_every_item_once(items: list[int], count: int) -> None:
    parts = [Part(number, count).of(items) for number in range(1, count + 1)]
    assert sorted(item for part in parts for item in part) == sorted(items)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert [item for group in in_groups(items, count) for item in group] == items


@pytest.mark.parametrize("text", ["3/2", "0/2", "x", "1", "1/2/3", "-1/2"])
def test_what_is_no_part_is_refused(text: str) -> None:
    assert read_part("2/8") == Part(2, 8)
    with pytest.raises(UserError, match="--shard takes"):
        read_part(text)
