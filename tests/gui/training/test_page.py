"""The contract of a page is checked when its class is made."""

import pytest

from napari_emssl.gui.finetune.dock import PAGES
from napari_emssl.gui.training.page import TrainingPage

METHODS = ("request", "begin_preview", "show_preview", "blank_preview", "remove_preview")
WHOLE = {name: lambda self, *_: None for name in METHODS} | dict.fromkeys(("title", "hint", "apply_hint"), "text")


@pytest.mark.parametrize("name", WHOLE)
def test_a_page_that_lacks_something_cannot_be_made(name):
    with pytest.raises(TypeError, match=f"The page Short lacks {name}"):
        type("Short", (TrainingPage,), {key: value for key, value in WHOLE.items() if key != name})


def test_a_whole_page_and_what_is_derived_from_one_can_be_made():
    page = type("Whole", (TrainingPage,), WHOLE)
    type("Derived", (page,), {"title": "another"})
    assert all(issubclass(page, TrainingPage) for page in PAGES)
