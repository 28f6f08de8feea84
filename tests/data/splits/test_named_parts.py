"""Words in names that say which part a file belongs to, and words that do not."""

import pytest

from napari_emssl.data.splits.named_parts import named_parts


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["Training_Images.h5", "Validation_Images.h5", "Test_Images.h5"], ["training", "validation", "test"]),
        (["train/a.png", "val/b.png", "test/a.png"], ["training", "validation", "test"]),
        (["TrainingImages.tif", "TestImages.tif", "other.tif"], ["training", "test", "training"]),
        (["test_1.tif", "test_2.tif"], [None, None]),
        (["train_1.tif", "train_2.tif", "sample.tif"], [None, None, None]),
        (["contest.tif", "restrain.tif", "valley.tif"], [None, None, None]),
        (["train/test.tif", "train/a.tif"], [None, None]),
    ],
)
def test_names_count_only_where_they_divide(names: list[str], parts: list[str | None]) -> None:
    assert named_parts(names) == parts
