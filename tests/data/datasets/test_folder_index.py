"""Large folders: what files hold is read once, changes are noticed, a damaged index is made anew."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from napari_emssl.data.datasets import folder_index
from napari_emssl.data.datasets.folder_index import index_file, scan
from napari_emssl.data.images.headers import read_header
from napari_emssl.data.images.opening import find_images, read_image
from napari_emssl.data.images.writers import write_image
from napari_emssl.errors import UserError

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _small_folders_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_index, "WORTH_AN_INDEX", 1)


def tile(path: Path, size: int = 8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, RNG.integers(0, 255, (size, size), np.uint8))
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for number in (1, 2, 10):
        tile(root / "heart" / f"h-LOC-2d-{number}.tiff")
    tile(root / "liver" / "a.tif", 6)
    for junk in ("Thumbs.db", ".hidden.tif", "notes.txt", "__MACOSX/x.tif"):
        (root / junk).parent.mkdir(exist_ok=True)
        (root / junk).write_bytes(b"junk")
    return root


def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are opened from now on."""
    names: list[str] = []

    def noted(path: Path, size: int, image: str | None = None) -> object:
        names.append(path.name)
        return read_header(path, size, image)

    monkeypatch.setattr(folder_index, "read_header", noted)
    return names


def test_a_scan_finds_what_searching_finds_and_what_reading_reads(tree: Path) -> None:
    listing = scan(tree)
    files = [tree / name for name in listing.texts()]
    assert files == find_images(tree)
    for file, row in zip(files, listing.rows, strict=True):
        image = read_image(file)
        assert (row["planes"], row["height"], row["width"]) == (len(image), *image.plane_shape)
    assert not listing.problems


def test_the_second_scan_opens_only_what_is_new_or_changed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = scan(tree)
    names = opened(monkeypatch)
    again = scan(tree)
    assert names == []
    np.testing.assert_array_equal(first.names, again.names)
    assert again.rows.tobytes() == first.rows.tobytes()
    tile(tree / "heart" / "h-LOC-2d-3.tiff")
    changed = tile(tree / "liver" / "a.tif", 9)
    (tree / "heart" / "h-LOC-2d-1.tiff").unlink()
    now = scan(tree)
    assert names == ["h-LOC-2d-3.tiff", changed.name]
    assert [tree / name for name in now.texts()] == find_images(tree)
    assert now.rows["height"].tolist() == [8, 8, 8, 9]
    names.clear()
    scan(tree)
    assert names == []


def test_a_file_of_the_same_size_is_read_again_when_its_time_differs(tree: Path, monkeypatch) -> None:
    scan(tree)
    names = opened(monkeypatch)
    os.utime(tree / "liver" / "a.tif", (time.time() - 1000,) * 2)
    scan(tree)
    assert names == ["a.tif"]


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[:200] + b"x" + b[201:]])
def test_a_damaged_index_is_made_anew(tree: Path, damage, monkeypatch: pytest.MonkeyPatch) -> None:
    first = scan(tree)
    file = index_file(tree)
    file.write_bytes(damage(file.read_bytes()))
    assert scan(tree).rows.tobytes() == first.rows.tobytes()
    names = opened(monkeypatch)
    scan(tree)
    assert names == []
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_another_version_and_another_folder_are_not_believed(tree: Path, tmp_path: Path, monkeypatch) -> None:
    scan(tree)
    names = opened(monkeypatch)
    monkeypatch.setattr(folder_index, "VERSION", folder_index.VERSION + 1)
    scan(tree)
    assert len(names) == 4
    other = tmp_path / "other"
    tile(other / "a.tif")
    index_file(tree).rename(index_file(other))
    assert scan(other).texts() == ["a.tif"]


def test_a_home_that_cannot_be_written_to_only_costs_time(tree: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NAPARI_EMSSL_HOME", str(tmp_path / "file"))
    assert len(scan(tree)) == len(scan(tree)) == 4


def test_an_interrupted_scan_keeps_what_was_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: Path, size: int, image: str | None = None) -> object:
        if path.name == "h-LOC-2d-10.tiff":
            raise KeyboardInterrupt
        return read_header(path, size, image)

    monkeypatch.setattr(folder_index, "read_header", interrupted)
    with pytest.raises(KeyboardInterrupt):
        scan(tree)
    names = opened(monkeypatch)
    assert (scan(tree).rows["planes"] == 1).all()
    assert names == ["h-LOC-2d-10.tiff", "a.tif"]


def test_damaged_files_are_listed_with_the_reason_and_remembered(tree: Path, monkeypatch) -> None:
    (tree / "bad.png").write_bytes(b"no picture")
    cut = tree / "cut.tif"
    cut.write_bytes(tile(tree / "whole.tif", 64).read_bytes()[:-100])
    for _ in range(2):
        listing = scan(tree)
        assert set(listing.problems) == {b"bad.png", b"cut.tif"}
        assert "ends before its last pixel" in listing.problems[b"cut.tif"]
        assert [name for name, row in zip(listing.texts(), listing.rows, strict=True) if not row["planes"]] == [
            "bad.png",
            "cut.tif",
        ]
        names = opened(monkeypatch)
    assert names == []
    tile(cut, 64)
    assert set(scan(tree).problems) == {b"bad.png"}


def test_links_and_odd_names(tmp_path: Path) -> None:
    root = tmp_path / "odd"
    tile(root / "a" / "Ångström 10 µm.tif")
    (root / "a" / "loop").symlink_to(root)
    (root / "dangling.tif").symlink_to(root / "nowhere.tif")
    for _ in range(2):
        assert scan(root).texts() == ["a/Ångström 10 µm.tif"]


def test_small_folders_leave_no_index(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_index, "WORTH_AN_INDEX", 5)
    scan(tree)
    assert not index_file(tree).exists()


def write_all(folder: Path) -> list[Path]:
    """One file of every kind whose header is looked at."""
    folder.mkdir()
    grey = RNG.integers(0, 60_000, (3, 20, 30), np.uint16)
    tifffile.imwrite(folder / "single.tif", grey[0])
    tifffile.imwrite(folder / "big-endian.tif", grey[0], byteorder=">")
    tifffile.imwrite(folder / "stack.tif", grey, photometric="minisblack")
    tifffile.imwrite(folder / "deflate.tif", grey[0], compression="zlib")
    tifffile.imwrite(folder / "deflated-stack.tif", grey, compression="zlib", photometric="minisblack")
    tifffile.imwrite(folder / "tiled.tif", grey[0], tile=(16, 16))
    tifffile.imwrite(folder / "colour.tif", RNG.integers(0, 255, (20, 30, 3), np.uint8), photometric="rgb")
    tifffile.imwrite(folder / "bits.tif", grey[0] > 30_000)
    write_image(folder / "imagej.tif", grey[0], pixel_size_nm=0.25)
    for mode in ("L", "LA", "RGB", "1", "P"):
        Pillow.fromarray((grey[0] // 256).astype(np.uint8)).convert(mode).save(folder / f"{mode}.png")
    Pillow.fromarray(grey[0]).save(folder / "I16.png")
    np.save(folder / "array.npy", grey)
    return sorted(folder.iterdir())


def test_headers_tell_what_reading_gives(tmp_path: Path) -> None:
    for path in write_all(tmp_path / "all"):
        image, held = read_image(path), read_header(path, path.stat().st_size)
        assert (held.planes, held.height, held.width) == (len(image), *image.plane_shape), path
        assert held.pixel_size_nm == pytest.approx(image.pixel_size_nm) if image.pixel_size_nm else True
        if held.offset < 0:
            continue
        for number in range(held.planes):
            start = held.offset + number * held.height * held.width * np.dtype(held.dtype).itemsize
            values = np.fromfile(path, held.dtype, held.height * held.width, offset=start)
            np.testing.assert_array_equal(values.reshape(held.height, held.width), image.plane(number))


def test_plain_tiffs_are_read_without_decoding(tmp_path: Path) -> None:
    offsets = {path.stem: read_header(path, path.stat().st_size).offset for path in write_all(tmp_path / "all")}
    assert all(offsets[name] > 0 for name in ("single", "big-endian", "stack", "imagej"))
    assert all(offsets[name] == -1 for name in ("deflate", "deflated-stack", "tiled", "colour", "bits", "L", "array"))


def test_no_image_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    path.write_bytes(b"II*\x00 and no more")
    with pytest.raises(UserError, match=r"x\.tif"):
        read_header(path, path.stat().st_size)
