"""Files that claim sizes they do not hold: a sentence within a second, and no memory taken."""

import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import h5py
import mrcfile
import numpy as np
import pytest
import tifffile

from napari_emssl.data.formats.claims import check_claim, check_memory
from napari_emssl.data.images.opening import read_image
from napari_emssl.errors import UserError

MANY = 10**9
PLANE = np.zeros((8, 9), np.uint8)
OME = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
    '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="9" SizeY="8" SizeZ="{}" SizeC="1" SizeT="{}">'
    '<TiffData PlaneCount="{}"/></Pixels></Image></OME>'
)


def ome(path: Path) -> None:
    tifffile.imwrite(path, PLANE, description=OME.format(MANY, 1, MANY), metadata=None)


def ome_in_two_axes(path: Path) -> None:
    tifffile.imwrite(path, PLANE, description=OME.format(MANY, MANY, MANY), metadata=None)


def imagej(path: Path) -> None:
    tifffile.imwrite(path, PLANE, description=f"ImageJ=1.53t\nimages={MANY}\nslices={MANY}\n", metadata=None)


def shaped(path: Path) -> None:
    tifffile.imwrite(path, PLANE, description=f'{{"shape": [{MANY}, 8, 9]}}', metadata=None)


def page(path: Path) -> None:
    tifffile.imwrite(path, PLANE, compression="zlib", metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as tif:
        tif.pages[0].tags["ImageWidth"].overwrite(400_000)
        tif.pages[0].tags["ImageLength"].overwrite(400_000)
        tif.pages[0].tags["RowsPerStrip"].overwrite(400_000)


def npy(path: Path) -> None:
    np.save(path, PLANE)
    path.write_bytes(path.read_bytes().replace(b"(8, 9), }" + b" " * 10, b"(1000000000, 8, 9), }"[:19]))


def mrc(path: Path) -> None:
    with mrcfile.new(path, data=PLANE.astype("f4")):
        pass
    with path.open("r+b") as file:
        file.write(struct.pack("<3i", 30_000, 30_000, 30_000))


def hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("images", (MANY, 1000, 1000), "f4", chunks=(1, 100, 100))


def ser(path: Path) -> None:
    head = struct.pack("<HHHIIIIiI", 0x4949, 0x0197, 0x0210, 0x4122, 0x4152, MANY, MANY, 40, 0)
    path.write_bytes(head + bytes(200))


CLAIMS: dict[str, Callable[[Path], None]] = {
    "ome.tif": ome, "2.ome.tif": ome_in_two_axes, "imagej.tif": imagej, "shaped.tif": shaped, "page.tif": page,
    "a.npy": npy, "a.mrc": mrc, "a.h5": hdf5, "a.ser": ser,
}  # fmt: skip


@pytest.mark.parametrize("name", CLAIMS)
def test_small_files_that_claim_much(tmp_path: Path, name: str) -> None:
    read_image_once(tmp_path)
    path = tmp_path / name
    CLAIMS[name](path)
    tracemalloc.start()
    said = what_is_said(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(path) in said
    assert peak < 20 << 20


def what_is_said(path: Path) -> str:
    """The error of a file, or what is said of the one plane that it holds."""
    try:
        image = read_image(path)
        image.plane(0)
    except UserError as error:
        return str(error)
    return " ".join(image.notes) if len(image) == 1 else "planes that are not there"


def read_image_once(folder: Path) -> None:
    """Import what readers need: that is not what is timed."""
    tifffile.imwrite(folder / "sound.tif", PLANE)
    read_image(folder / "sound.tif")


def test_what_fits_is_let_through() -> None:
    check_claim(60 << 20, 1)
    check_claim(1 << 40, 1 << 30)
    check_memory("a.tif", 1 << 20)
    with pytest.raises(ValueError, match=r"claims 1\.1 TB, but it holds 1000 bytes"):
        check_claim(1 << 40, 1000)
    with pytest.raises(UserError, match=r"One plane of a\.tif"):
        check_memory("a.tif", 1 << 60)
