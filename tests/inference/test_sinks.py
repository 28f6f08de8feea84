"""Where results go: names only for what is complete, and what was there before stays."""

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_emssl.data.formats.units import PixelNm
from napari_emssl.data.images.opening import read_image
from napari_emssl.errors import UserError
from napari_emssl.inference.sinks import Memory, NewFile, written_behind
from napari_emssl.models.results import ResultLayout

LAYOUT = ResultLayout((2, 3, 40, 30), np.dtype(np.uint8), PixelNm(0.25, 0.25))


def plane(number):
    return np.full((40, 30), number + 1, np.uint8)


def write(sink, count):
    with sink.open(LAYOUT) as writer:
        for number in range(count):
            writer.put(number, plane(number))
    return writer


def content(path):
    """All planes ``(6, 40, 30)`` of a file."""
    image = read_image(path)
    return np.stack([image.plane(number) for number in range(len(image))])


@pytest.mark.parametrize("name", ["a.tif", "a.zarr", "a.npy"])
def test_a_complete_result_has_its_name_and_nothing_else_is_left(tmp_path, name):
    writer = write(NewFile(tmp_path / "deep" / name), LAYOUT.planes)
    assert writer.done == 6
    assert [path.name for path in (tmp_path / "deep").iterdir()] == [name]
    np.testing.assert_array_equal(content(tmp_path / "deep" / name), [plane(number) for number in range(6)])
    if name != "a.npy":
        assert read_image(tmp_path / "deep" / name).pixel_size_nm == pytest.approx(0.25)


@pytest.mark.parametrize("name", ["a.tif", "a.zarr", "a.npy"])
def test_an_incomplete_result_leaves_what_was_there_before(tmp_path, name):
    (tmp_path / name).write_bytes(b"mine")
    write(NewFile(tmp_path / name, overwrite=True), 5)
    with pytest.raises(UserError, match="exists already"):
        write(NewFile(tmp_path / name), 6)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"mine")]


@pytest.mark.parametrize("name", ["a.tif", "a.zarr", "a.npy"])
def test_an_incomplete_result_is_kept_where_that_is_wanted(tmp_path, name):
    write(NewFile(tmp_path / name, keep_incomplete=True), 4)
    found = content(tmp_path / name)
    assert found[3].any()
    assert not found[4:].any()


@pytest.mark.parametrize("name", ["a.tif", "a.zarr", "a.npy"])
def test_an_error_leaves_nothing(tmp_path, name):
    with pytest.raises(ValueError, match="broadcast"), NewFile(tmp_path / name, True, True).open(LAYOUT) as writer:
        writer.put(0, np.zeros((3, 7)))
    assert not list(tmp_path.iterdir())


def test_results_in_memory_are_zero_where_nothing_was_written():
    sink = Memory()
    write(sink, 4)
    assert sink.read().shape == LAYOUT.shape
    assert sink.read()[1, 0].any()
    assert not sink.read()[1, 1:].any()


class SlowWriter:
    """Writes slowly, and fails at one plane."""

    takes_long = True

    def __init__(self, fails_at: int = -1) -> None:
        self.written: list[int] = []
        self.fails_at = fails_at

    @property
    def done(self) -> int:
        return len(self.written)

    def put(self, index: int, plane: NDArray[np.generic]) -> None:
        time.sleep(0.02)
        if index == self.fails_at:
            raise OSError("disk full")
        self.written.append(index)


PLANE = np.zeros((2, 2))


def test_planes_are_written_behind_and_all_are_there_at_the_end() -> None:
    writer = SlowWriter()
    with written_behind(writer, 5) as behind:
        behind.put(0, PLANE)
        assert behind.done == 0  # it is on its way
        for index in range(1, 5):
            behind.put(index, PLANE)
    assert writer.written == [0, 1, 2, 3, 4]
    assert behind.done == 5


def put_all(writer: SlowWriter, count: int, error: Exception | None = None) -> None:
    with written_behind(writer, 5) as behind:
        for index in range(count):
            behind.put(index, PLANE)
        if error is not None:
            raise error


@pytest.mark.parametrize("count", [2, 5])
def test_what_writing_raises_is_raised_at_the_latest_at_the_end(count: int) -> None:
    writer = SlowWriter(fails_at=1)
    with pytest.raises(OSError, match="disk full"):
        put_all(writer, count)
    assert writer.written == [0]  # nothing is written behind a gap


def test_what_was_given_is_written_where_the_next_plane_fails() -> None:
    writer = SlowWriter()
    with pytest.raises(ValueError, match="unreadable"):
        put_all(writer, 1, ValueError("unreadable"))
    assert writer.written == [0]


def test_a_full_disk_is_said_even_where_the_next_plane_cannot_be_read() -> None:
    writer = SlowWriter(fails_at=0)
    with pytest.raises(OSError, match="disk full"):
        put_all(writer, 1, ValueError("unreadable"))


@pytest.mark.parametrize(("sink", "behind"), [(Memory(), False), ("a.npy", False), ("a.zarr", True)])
def test_only_what_takes_long_is_written_in_a_thread(tmp_path, sink, behind) -> None:
    sink = NewFile(tmp_path / sink) if isinstance(sink, str) else sink
    with sink.open(LAYOUT) as writer, written_behind(writer, LAYOUT.planes) as used:
        assert (used is not writer) == behind
        for number in range(LAYOUT.planes):
            used.put(number, plane(number))
    assert writer.done == LAYOUT.planes
