"""What may not be read is told, not left out and not called damaged."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_emssl.data.datasets.sources import open_sources
from napari_emssl.data.images.opening import find_images, read_image
from napari_emssl.data.images.writers import write_image
from napari_emssl.errors import UserError
from napari_emssl.models.zoo import damaged_models


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Closes what has a name, for root too, who may do everything."""

    def close(name: str) -> None:
        for module, opener in ((os, "scandir"), (os, "listdir"), (os, "open"), (__import__("builtins"), "open")):
            genuine = getattr(module, opener)

            def opened(path: object = ".", *more: object, _genuine: Callable = genuine, **options: object) -> object:
                if not isinstance(path, int) and Path(os.fsdecode(str(path))).name == name:
                    raise PermissionError(13, "Permission denied", str(path))
                return _genuine(path, *more, **options)

            monkeypatch.setattr(module, opener, opened)

    return close


@pytest.mark.parametrize("search", [find_images, lambda folder: open_sources([folder])])
def test_a_folder_that_may_not_be_searched_is_named(
    tmp_path: Path, closed: Callable[[str], None], search: Callable[[Path], object]
) -> None:
    for place in ("a.tif", "closed/b.tif", "lost+found/c.tif"):
        write_image(tmp_path / place, np.zeros((8, 8), np.uint8))
    closed("closed")
    with pytest.raises(UserError, match=r"closed cannot be searched \(Permission denied\)"):
        search(tmp_path)
    (tmp_path / "closed" / "b.tif").unlink()
    (tmp_path / "closed").rmdir()
    closed("lost+found")
    search(tmp_path)  # every disk has one


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.npy"])
def test_a_file_that_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, closed: Callable[[str], None], name: str
) -> None:
    path = tmp_path / name
    if name == "a.npy":
        np.save(path, np.zeros((8, 8), np.uint8))
    else:
        write_image(path, np.zeros((8, 8), np.uint8))
    closed(name)
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\)\. Allow it") as told:
        read_image(path)
    assert "damaged" not in str(told.value)


def test_own_models_that_may_not_be_listed_are_told(
    tmp_path: Path, closed: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_EMSSL_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    closed("models")
    assert "cannot be searched (Permission denied)" in damaged_models()[0].reason
