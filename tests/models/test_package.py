"""Models in packages: found in folders and archives, and what is none is refused in a sentence."""

import os
import tempfile
import zipfile
from pathlib import Path

import pytest
from random_models import random_model

from napari_emssl.atomic_files import hidden_name
from napari_emssl.errors import UserError
from napari_emssl.models.model_file import read_card, save_model
from napari_emssl.models.package import model_file_in


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    save_model(random_model(), folder / "model.safetensors")
    (folder / "bioimageio.yaml").write_text("type: model")
    return folder


def zipped(folder: Path, prefix: str = "") -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, prefix + file.name)
    return path


def test_a_model_is_found_wherever_a_package_is_given(package: Path) -> None:
    for path in (package, package / "bioimageio.yaml", zipped(package), zipped(package, "package/")):
        with model_file_in(path) as file:
            assert read_card(file).name == "random"
    assert not file.exists()


def test_what_a_killed_program_unpacked_is_removed(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    left = hidden_name(tmp_path / "temporary" / "package")
    left = left.with_name(left.name.replace(f"-{os.getpid()}-", "-999999999-"))
    left.mkdir(parents=True)
    with model_file_in(zipped(package)):
        assert not left.exists()
    assert not list((tmp_path / "temporary").iterdir())


def test_any_other_file_is_given_as_it_is(tmp_path: Path) -> None:
    with model_file_in(tmp_path / "gone.safetensors") as file:
        assert file == tmp_path / "gone.safetensors"


def test_packages_without_a_model_are_refused(package: Path, tmp_path: Path) -> None:
    (package / "model.safetensors").unlink()
    for path in (package, zipped(package)):
        with pytest.raises(UserError, match="was not exported by napari-emssl"), model_file_in(path):
            pass
    (tmp_path / "damaged.zip").write_bytes(zipped(package).read_bytes()[:-40])
    with pytest.raises(UserError, match="cannot be unpacked"), model_file_in(tmp_path / "damaged.zip"):
        pass
    (package / "model.safetensors").write_bytes(b"x")
    with (
        pytest.raises(UserError, match=r"model.safetensors in '.*package.zip' is damaged"),
        model_file_in(zipped(package)),
    ):
        pass
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="a folder without a model"), model_file_in(tmp_path / "empty"):
        pass
