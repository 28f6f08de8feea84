"""Packs: what comes out is what went in; damage is refused in a sentence; nothing half-written is left."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_emssl.data.datasets.pack_file import PackedPlanes, is_pack, write_pack
from napari_emssl.data.datasets.plane_stores import ImagePlanes
from napari_emssl.data.datasets.sources import ImageCatalog, open_sources
from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.data.images.opening import as_image
from napari_emssl.errors import UserError

RNG = np.random.default_rng(0)


def packed(path: Path, found: ImageCatalog, **facts: object) -> list[str | None]:
    """Pack a catalogue; returns what was said of each plane."""
    images = found.names, found.origins, found.counts.tolist()
    return list(write_pack(path, found.store, images, {"layouts": found.layouts, **facts}, overwrite=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    root.mkdir()
    tifffile.imwrite(root / "stack.tif", RNG.integers(0, 9, (3, 20, 31), np.uint16), photometric="minisblack")
    tifffile.imwrite(root / "zipped.tif", RNG.random((17, 9), np.float32), compression="zlib")
    np.save(root / "deep.npy", RNG.integers(-5, 5, (40, 12), np.int32))
    return root


@pytest.fixture
def pack(folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "tiles.pack"
    packed(path, open_sources([folder]))
    return path


def test_a_pack_holds_what_the_folder_held(folder: Path, pack: Path) -> None:
    loose, found = open_sources([folder]), open_sources([pack])
    assert (found.names, found.origins, found.layouts) == (loose.names, loose.origins, loose.layouts)
    assert found.counts.tolist() == loose.counts.tolist()
    np.testing.assert_array_equal(found.store.shapes, loose.store.shapes)
    scaling = IntensityScaling()
    for number in range(5):
        plane = loose.store.read(number)
        assert found.store.read(number).dtype == plane.dtype
        np.testing.assert_array_equal(found.store.read(number), plane)
        np.testing.assert_array_equal(found.store.read(number, 2, 7), plane[2:7])
        assert found.store.levels(number, scaling) == scaling.fit(plane)
        assert found.store.levels(number, IntensityScaling(high_percent=90)) is None


shapes = array_shapes(min_dims=2, max_dims=2, max_side=9)
kinds = st.sampled_from(["|u1", "<u2", ">u2", "<i4", "<f4", ">f8", "<f2", "|b1", "<i8"])


@given(st.lists(kinds.flatmap(lambda dtype: arrays(dtype, shapes)), min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_every_type_and_shape_survives(tmp_path_factory, planes: list[np.ndarray]) -> None:
    path = tmp_path_factory.mktemp("pack") / "a.pack"
    images = [as_image(plane) for plane in planes]
    names = [f"µ{number}" for number in range(len(planes))]
    for _ in write_pack(path, ImagePlanes(images), (names, names, [1] * len(planes)), {"layouts": ["array"]}):
        pass
    pack = PackedPlanes(path)
    assert pack.names == pack.origins == names
    for number, image in enumerate(images):
        assert pack.read(number).dtype == image.plane(0).dtype
        np.testing.assert_array_equal(pack.read(number), image.plane(0))


def test_a_copy_for_another_process_holds_no_pixels(pack: Path) -> None:
    store = PackedPlanes(pack)
    store.read(0)
    sent = pickle.dumps(store)
    assert len(sent) < 2000
    np.testing.assert_array_equal(pickle.loads(sent).read(4), store.read(4))


@pytest.mark.parametrize("keep", [0, 5, 100, 9000, -1])
def test_a_pack_cut_short_is_refused(pack: Path, keep: int) -> None:
    pack.write_bytes(pack.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"tiles\.pack"):
        open_sources([pack])


def test_foreign_newer_and_damaged_packs_are_refused(pack: Path, tmp_path: Path) -> None:
    content = pack.read_bytes()
    header = json.loads(content[8:8192])
    foreign = tmp_path / "other.pack"
    foreign.write_bytes(b"PK" + content)
    with pytest.raises(UserError, match="not a pack of napari-emssl"):
        open_sources([foreign])
    newer = content[:8] + json.dumps(header | {"version": 2}).encode().ljust(8184) + content[8192:]
    at = header["tables"]["offset"] + 3
    damaged = content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]
    for text, message in ((newer, "version 2"), (damaged, "tables .* damaged")):
        pack.write_bytes(text)
        with pytest.raises(UserError, match=message):
            open_sources([pack])


def test_a_pack_is_known_by_its_content_too(pack: Path) -> None:
    assert is_pack(pack)
    assert is_pack(pack.rename(pack.with_name("tiles.bin")))
    assert not is_pack(pack.parent)


def test_a_pack_cut_short_while_it_is_read_is_an_error_not_a_crash(pack: Path) -> None:
    store = PackedPlanes(pack)
    with pack.open("r+b") as file:
        file.truncate(8200)
    with pytest.raises(UserError, match="cut short"):
        store.read(3)


def test_damaged_planes_keep_their_place(folder: Path, tmp_path: Path) -> None:
    with (folder / "zipped.tif").open("r+b") as file:
        file.seek(-40, 2)
        file.write(bytes(40))
    told = packed(tmp_path / "a.pack", open_sources([folder]))
    assert [problem is None for problem in told] == [True, True, True, True, False]
    assert "zipped.tif" in str(told[4])
    store = PackedPlanes(tmp_path / "a.pack")
    store.read(3)
    with pytest.raises(UserError, match="damaged when it was packed"):
        store.read(4)


def test_nothing_is_left_of_a_pack_given_up_and_nothing_is_replaced_unasked(folder: Path, tmp_path: Path) -> None:
    found, path = open_sources([folder]), tmp_path / "out" / "a.pack"
    images = found.names, found.origins, found.counts.tolist()
    writer = write_pack(path, found.store, images, {"layouts": found.layouts})
    next(writer)
    assert list(path.parent.iterdir()) != []
    writer.close()
    assert not path.parent.exists()
    path.parent.mkdir()
    path.write_bytes(b"mine")
    with pytest.raises(UserError, match="exists"):
        next(write_pack(path, found.store, images, {"layouts": found.layouts}))
    assert path.read_bytes() == b"mine"
