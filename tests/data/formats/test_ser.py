"""Films of TIA: frame by frame, and what is no image is refused."""

import pickle
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from image_arrays import stacked

from napari_emssl.data.images.opening import read_image
from napari_emssl.errors import UserError

FRAMES = np.random.default_rng(0).integers(0, 4000, (4, 12, 16)).astype("<i2")


def write_ser(
    path: Path, frames: np.ndarray, wide: bool = False, sizes: tuple[int, ...] = (), kind: int = 0x4122
) -> Path:
    """A series as TIA writes it: header, axes, offsets, frames."""
    count, word, sizes = len(frames), "q" if wide else "i", sizes or (len(frames),)
    axes = b"".join(struct.pack("<iddii", size, 0.0, 1.0, 0, 6) + b"Number" + struct.pack("<i", 0) for size in sizes)
    form = f"<HHHIIii{word}i"
    table = struct.calcsize(form) + len(axes)
    version = 0x0220 if wide else 0x0210
    head = struct.pack(form, 0x4949, 0x0197, version, kind, 0x4152, count, count, table, len(sizes))
    code = {"<i2": 5, "<f4": 7}[frames.dtype.str]
    height, width = frames.shape[1:]
    elements = [
        struct.pack("<ddiddihii", 0.0, 2e-9, 0, 0.0, 2e-9, 0, code, width, height) + frame[::-1].tobytes()
        for frame in frames
    ]
    first = table + 2 * count * struct.calcsize(word)
    offsets = np.cumsum([0, *(len(element) for element in elements)])[:-1] + first
    ends = [0] * count
    path.write_bytes(head + axes + struct.pack(f"<{2 * count}{word}", *offsets, *ends) + b"".join(elements))
    return path


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("dtype", ["<i2", "<f4"])
def test_a_film(tmp_path: Path, wide: bool, dtype: str) -> None:
    frames = FRAMES.astype(dtype)
    image = read_image(write_ser(tmp_path / "a.ser", frames, wide))
    assert (image.leading, image.pixel_size_nm) == ((4,), pytest.approx(2))
    np.testing.assert_array_equal(stacked(image), frames)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(image)).plane(3), frames[3])


def test_one_image(tmp_path: Path) -> None:
    image = read_image(write_ser(tmp_path / "a.ser", FRAMES[:1]))
    assert image.leading == ()
    np.testing.assert_array_equal(image.plane(0), FRAMES[0])


def test_it_reads_as_rosettasciio_does(shared_data: Path) -> None:
    tia = pytest.importorskip("rsciio.tia")
    for path in sorted((shared_data / "readers").glob("*.ser")):
        (expected,) = tia.file_reader(str(path))
        image = read_image(path)
        np.testing.assert_array_equal(stacked(image), expected["data"])


def test_one_frame_is_read_for_one_frame(tmp_path: Path) -> None:
    frames = np.zeros((32, 256, 256), "<i2")
    image = read_image(write_ser(tmp_path / "a.ser", frames))
    tracemalloc.start()
    image.plane(5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * frames[0].nbytes


@pytest.mark.parametrize(
    ("options", "words"),
    [({"kind": 0x4120}, "spectra"), ({"kind": 7}, "unknown kind"), ({"sizes": (2, 2)}, r"data cube of shape \(2, 2,")],
)
def test_what_is_no_film_is_refused(tmp_path: Path, options: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_image(write_ser(tmp_path / "a.ser", FRAMES, **options))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.2, 0.9, 0.999])
def test_a_film_that_was_cut_is_refused(tmp_path: Path, share: float) -> None:
    path = write_ser(tmp_path / "a.ser", FRAMES)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=r"a\.ser"):
        read_image(path)
