"""Names of files that hold on every system."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_emssl.data.images.user_folder import check_name, is_device_name, safe_stem
from napari_emssl.errors import UserError


@pytest.mark.parametrize("name", ["con", "NUL", "Aux.v2", "com1", "lpt9.tar.gz", "prn .x"])
def test_names_that_windows_keeps_for_devices_are_given_to_nothing(name: str) -> None:
    assert is_device_name(name)
    with pytest.raises(UserError, match="Windows keeps it"):
        check_name(name)


@pytest.mark.parametrize("name", ["confocal", "com", "com10", "nul-gold", "auxiliary.v2"])
def test_names_that_begin_like_them_are_free(name: str) -> None:
    assert check_name(name) == name


@given(st.one_of(st.text(), st.sampled_from(["CON", "nul", "Com1", "LPT3 ", "aux!", " prn"])))
def test_a_stem_is_a_name_on_every_system(text: str) -> None:
    stem = safe_stem(text)
    assert stem
    assert set(stem) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not is_device_name(stem)
