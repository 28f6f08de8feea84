"""What both doors say names fields in the viewer."""

import pytest

from napari_emssl.gui.job.flag_words import with_titles

pytestmark = pytest.mark.gui


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Choose a larger --patch, or a --batch-size of 2.", "Choose a larger 'Patch (px)', or a 'Batch size' of 2."),
        ("Choose --device auto.", "Choose 'Device' auto."),
        ("Give it with --pixel-size, or leave out --resume.", "Give it with 'Pixel size'."),
        ("Choose another name, or replace it with --overwrite.", "Choose another name."),
        ("Pass --overwrite. Or give --steps.", "Pass --overwrite. Or give 'Steps'."),
        ("a--b --no-such-flag", "a--b --no-such-flag"),
    ],
)
def test_flags_of_fields_become_their_titles(said: str, shown: str) -> None:
    assert with_titles(said) == shown
