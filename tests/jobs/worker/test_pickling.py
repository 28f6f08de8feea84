"""Messages with arrays come out as they went in, and leave no file behind."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_emssl.jobs.worker import pickling

DTYPES = st.sampled_from(["u1", ">u2", "i4", "f4", "f8", "c8", "?", "M8[s]", [("a", "u1"), ("b", "f4")]])
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=40)
relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def travel(content, folder):
    return pickling.decode(pickling.encode("event", content, folder / "file.bin"))


def filled(shape, dtype, seed):
    """Array of random bytes, without NaN."""
    array = np.zeros(shape, dtype)
    if array.size and array.dtype.names is None:
        array[...] = np.random.default_rng(seed).integers(0, 2, shape).astype(dtype)
    return array


@relaxed
@given(SHAPES, DTYPES, st.data())
def test_any_array_and_any_view_of_it(tmp_path, shape, dtype, data):
    array = filled(shape, dtype, 0)
    view = array[data.draw(hnp.basic_indices(array.shape, allow_ellipsis=False, allow_newaxis=True))].T
    for sent in (array, view, [array, (view, array)]):
        back = travel({"sent": sent}, tmp_path)["sent"]
        first, second = (sent, back) if isinstance(sent, np.ndarray | np.generic) else (sent[1][0], back[1][0])
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)
    assert not list(tmp_path.iterdir())


@relaxed
@given(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=40), st.integers(0, 70000), st.data())
def test_any_view_of_a_mapped_file_goes_by_name(tmp_path, shape, offset, data):
    path = tmp_path / "mapped.raw"
    whole = np.memmap(path, np.uint16, "w+", offset, shape)
    whole[...] = filled(shape, "u2", 1)
    view = np.asarray(whole[data.draw(hnp.basic_indices(shape, allow_ellipsis=False))])
    back = travel(view, tmp_path)
    np.testing.assert_array_equal(back, view)
    if view.size and view.ndim:
        back[...] = 5
        assert view.min() == 5
    assert len(pickle.dumps(pickling.encode("event", view, tmp_path / "file.bin"))) < 6000
    assert list(tmp_path.iterdir()) == [path]


def test_a_mapped_file_that_is_gone_travels_as_an_array(tmp_path):
    path = tmp_path / "mapped.raw"
    whole = np.memmap(path, np.uint16, "w+", 0, (100, 100))
    whole[:] = 3
    path.unlink()
    assert travel(whole, tmp_path).min() == 3


def test_copy_on_write_maps_travel_as_they_are_in_memory(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((100, 100)))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="c")
    mapped[:] = 4
    assert travel(mapped, tmp_path).min() == 4


def refuse_to_unlink(self, missing_ok=False):
    raise PermissionError("in use")


def test_names_that_cannot_go_at_once_go_with_the_array(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    message = pickling.encode("event", np.zeros((100, 100)), tmp_path / "a" / "file.bin")
    with monkeypatch.context() as windows:
        windows.setattr(Path, "unlink", refuse_to_unlink)
        array = pickling.decode(message)
    assert Path(message.file).exists()
    view = array[1:]
    del array
    assert Path(message.file).exists()
    del view
    assert not (tmp_path / "a").exists()


def test_events_with_torch_are_refused():
    class Tensor:
        __module__ = "torch"

    with pytest.raises(TypeError, match="convert it to numpy"):
        pickling.encode("event", {"loss": Tensor()}, Path("unused"))


class Lazy:
    shape, dtype = (3, 4, 5), np.dtype("u1")

    def __getitem__(self, key):
        raise AssertionError("nobody asked for it")


def test_lazy_arrays_are_registered(tmp_path):
    lazy = Lazy()
    registered = []
    message = pickling.encode("run", [lazy, "text"], tmp_path / "file.bin", lambda array: registered.append(array) or 0)
    assert registered == [lazy]
    assert pickling.decode(message, lambda token: f"array {token}") == ["array 0", "text"]


@pytest.mark.parametrize("thing", [np.zeros(3), np.float32(1), np.ndarray, [1], "text", None, {}])
def test_what_is_not_lazy(thing):
    assert not pickling.is_lazy(thing)
