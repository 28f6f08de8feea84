"""Small sound micrographs of every format that is read, written by the test itself."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import h5py
import mrcfile
import numpy as np
import tifffile
import zarr
from PIL import Image

PLANE = np.random.default_rng(0).integers(0, 4000, (24, 20), np.uint16)
STACK = np.stack([PLANE, PLANE + 1, PLANE + 2])
GREY = (PLANE // 16).astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)
Write = Callable[[Path], None]


def _tiff(array: np.ndarray, **options: object) -> Write:
    return lambda path: tifffile.imwrite(path, array, **options)


def _series(path: Path) -> None:
    with tifffile.TiffWriter(path) as tif:
        tif.write(COLOUR, photometric="rgb")
        for plane in STACK:
            tif.write(plane, compression="zlib")


def _maker_tags(path: Path) -> None:
    fei = "[User]\r\nUser=x\r\n[Scan]\r\nPixelWidth=2e-9\r\nPixelHeight=2e-9\r\n"
    tvips = struct.pack("<II", 2, 0) + bytes(240)
    tags = [(34682, "s", 0, fei, True), (65009, "d", 1, 2.0, True), (65003, "s", 0, "nm", True),
            (37706, "B", len(tvips), tvips, True)]  # fmt: skip
    tifffile.imwrite(path, PLANE, extratags=tags)


def _picture(array: np.ndarray, mode: str | None = None, **options: object) -> Write:
    def write(path: Path) -> None:
        picture = Image.fromarray(array)
        (picture.convert(mode) if mode else picture).save(path, **options)

    return write


def _deep_png(path: Path) -> None:
    import imagecodecs

    path.write_bytes(imagecodecs.png_encode(np.stack([PLANE] * 3, axis=-1)))


def _mrc(array: np.ndarray, imod: bool = False) -> Write:
    def write(path: Path) -> None:
        with mrcfile.new(path) as mrc:
            mrc.set_data(array)
            mrc.voxel_size = 10
        if imod:
            with path.open("r+b") as file:
                file.seek(152)
                file.write(struct.pack("<ii", 1146047817, 1))

    return write


def _ome_zarr(version: int) -> Write:
    def write(path: Path) -> None:
        group = zarr.create_group(path, zarr_format=version)
        group.create_array("0", shape=STACK.shape, dtype=STACK.dtype, chunks=(1, 16, 16))[...] = STACK
        axes = [{"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"]
        scale = [{"type": "scale", "scale": [3.0, 2.0, 2.0]}]
        image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}], "name": "film"}
        group.attrs.update(
            {"ome": {"version": "0.5", "multiscales": [image]}} if version == 3 else {"multiscales": [image]}
        )

    return write


def _bare_zarr(path: Path) -> None:
    zarr.create_array(path, shape=PLANE.shape, dtype=PLANE.dtype, chunks=(16, 16))[...] = PLANE


def _hdf5(**sets: tuple[np.ndarray, dict[str, object]]) -> Write:
    def write(path: Path) -> None:
        with h5py.File(path, "w") as file:
            for name, (array, options) in sets.items():
                file.create_dataset(name, data=array, **options)

    return write


def _emd(path: Path) -> None:
    """As Velox writes it: images ``(h, w, frames)`` under keys, each with its metadata."""
    with h5py.File(path, "w") as file:
        file["Version"] = np.array([json.dumps({"format": "Velox", "version": "8"})], h5py.string_dtype())
        for key, detector in (("a", "HAADF"), ("b", "BF")):
            metadata = {
                "BinaryResult": {
                    "Detector": detector, "DetectorIndex": "0", "PixelSize": {"width": "2e-9", "height": "2e-9"},
                    "PixelUnitX": "m", "PixelUnitY": "m",
                },
                "Scan": {"FrameTime": "0.5"},
                "Acquisition": {"AcquisitionStartDatetime": {"DateTime": "1500000000"}},
                "Detectors": {"Detector-0": {"DetectorName": detector, "DetectorType": "ScanningDetector"}},
            }  # fmt: skip
            group = file.create_group(f"Data/Image/{key}")
            group.create_dataset("Data", data=np.moveaxis(STACK, 0, -1), chunks=(*PLANE.shape, 1))
            text = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
            group["Metadata"] = np.concatenate([text, np.zeros(10, np.uint8)])[:, None]


def _ser(path: Path) -> None:
    """As TIA writes it: header, axis, offsets, frames."""
    count, (height, width) = len(STACK), PLANE.shape
    axis = struct.pack("<iddii", count, 0.0, 1.0, 0, 6) + b"Number" + struct.pack("<i", 0)
    form = "<HHHIIiiii"
    table = struct.calcsize(form) + len(axis)
    head = struct.pack(form, 0x4949, 0x0197, 0x0210, 0x4122, 0x4152, count, count, table, 1)
    element = struct.pack("<ddiddihii", 0.0, 2e-9, 0, 0.0, 2e-9, 0, 2, width, height)
    frames = [element + frame[::-1].astype("<u2").tobytes() for frame in STACK]
    offsets = [table + 8 * count + number * len(frames[0]) for number in range(count)]
    path.write_bytes(head + axis + struct.pack(f"<{2 * count}i", *offsets, *[0] * count) + b"".join(frames))


def _dm3(path: Path) -> None:
    """As DigitalMicrograph writes it: groups of tags, big-endian, with little-endian values."""
    path.write_bytes(struct.pack(">iii", 3, 0, 1) + _dm_group(_DM_TAGS) + bytes(8))


def _dm_group(tags: list[tuple[str, object]]) -> bytes:
    return struct.pack(">bbi", 1, 0, len(tags)) + b"".join(_dm_tag(name, value) for name, value in tags)


def _dm_tag(name: str, value: object) -> bytes:
    head = struct.pack(">h", len(name)) + name.encode()
    if isinstance(value, list):
        return b"\x14" + head + _dm_group(value)
    if isinstance(value, np.ndarray):
        body = struct.pack(">iiii", 3, 20, 4, value.size) + value.astype("<u2").tobytes()
    elif isinstance(value, str):
        body = struct.pack(">iiii", 3, 20, 4, len(value)) + value.encode("utf-16-le")
    elif isinstance(value, float):
        body = struct.pack(">ii", 1, 6) + struct.pack("<f", value)
    else:
        body = struct.pack(">ii", 1, 5) + struct.pack("<I", value)
    return b"\x15" + head + b"%%%%" + body


_DM_AXIS: list[tuple[str, object]] = [("Origin", 0.0), ("Scale", 2.0), ("Units", "nm")]
_DM_IMAGE: list[tuple[str, object]] = [
    ("ImageData", [
        ("Calibrations", [
            ("Brightness", [("Origin", 0.0), ("Scale", 1.0), ("Units", "")]),
            ("Dimension", [("", _DM_AXIS), ("", _DM_AXIS)]),
        ]),
        ("Data", PLANE.reshape(-1)), ("DataType", 10), ("Dimensions", [("", 20), ("", 24)]), ("PixelDepth", 2),
    ]),
    ("ImageTags", [("Microscope Info", [("Voltage", 300000.0)])]),
    ("Name", "film"),
]  # fmt: skip
_DM_TAGS: list[tuple[str, object]] = [("ImageList", [("", _DM_IMAGE)]), ("InImageMode", 1)]


_IMAGEJ = {"axes": "ZYX", "unit": "nm", "spacing": 3.0}
_PLAIN: dict[str, object] = {"metadata": None, "photometric": "minisblack"}
_CHUNKS: dict[str, object] = {"chunks": (1, 16, 16), "compression": "gzip", "fletcher32": True}
MICROGRAPHS: dict[str, tuple[str, Write]] = {
    "tiff": ("a.tif", _tiff(PLANE)),
    "tiff of ImageJ": ("a.tif", _tiff(STACK, imagej=True, resolution=(0.5, 0.5), metadata=_IMAGEJ)),
    "tiff, OME": ("a.ome.tif", _tiff(STACK, metadata={"axes": "ZYX", "PhysicalSizeX": 2.0, "PhysicalSizeXUnit": "nm"})),
    "tiff, tiles, zlib": ("a.tif", _tiff(PLANE, tile=(16, 16), compression="zlib", predictor=True)),
    "tiff, LZW, large offsets": ("a.tif", _tiff(STACK, compression="lzw", bigtiff=True, **_PLAIN)),
    "tiff, JPEG": ("a.tif", _tiff(GREY, compression="jpeg")),
    "tiff, big-endian floats": ("a.tif", _tiff(STACK.astype(">f4"), byteorder=">", photometric="minisblack")),
    "tiff, several series": ("a.tif", _series),
    "tiff, tags of makers": ("a.tif", _maker_tags),
    "png": ("a.png", _picture(GREY)),
    "png, 16 bits": ("a.png", _picture(PLANE)),
    "png, palette": ("a.png", _picture(COLOUR, "P")),
    "png, deep colours": ("a.png", _deep_png),
    "jpeg": ("a.jpg", _picture(COLOUR)),
    "bmp": ("a.bmp", _picture(GREY)),
    "npy": ("a.npy", lambda path: np.save(path, STACK)),
    "mrc": ("a.mrc", _mrc(STACK)),
    "mrc of IMOD": ("a.mrc", _mrc(GREY.view(np.int8), imod=True)),
    "zarr, OME 0.5": ("a.zarr", _ome_zarr(3)),
    "zarr, OME 0.4": ("a.zarr", _ome_zarr(2)),
    "zarr, bare": ("a.zarr", _bare_zarr),
    "hdf5": ("a.h5", _hdf5(images=(STACK, {}), frames=(np.arange(3), {}))),
    "hdf5, chunks": ("a.h5", _hdf5(labels=(STACK.astype("f4"), _CHUNKS))),
    "hdf5, maps": ("a.h5", _hdf5(maps=(np.stack([STACK > 9, STACK < 9], -1).astype("f4"), {"shuffle": True}))),
    "emd": ("a.emd", _emd),
    "dm3": ("a.dm3", _dm3),
    "ser": ("a.ser", _ser),
}  # fmt: skip
"""By kind, the name of a file and what writes it."""
