"""Lazy arrays on both sides, without a second process."""

import pickle

import numpy as np
import pytest

from napari_emssl.errors import UserError
from napari_emssl.jobs.worker.lazy_arrays import LazyArrayServer, PlaneRequest, RemoteArray

ARRAY = np.arange(24).reshape(2, 3, 4)


def test_a_remote_array_looks_like_an_array_but_stays_here():
    remote = RemoteArray(lambda key: ARRAY[key], ARRAY.shape, ARRAY.dtype)
    assert (len(remote), remote.ndim, remote.shape, remote.dtype) == (2, 3, (2, 3, 4), ARRAY.dtype)
    np.testing.assert_array_equal(np.asarray(remote), ARRAY)
    np.testing.assert_array_equal(np.stack(list(remote)), ARRAY)
    assert np.asarray(remote, dtype=np.float32).dtype == np.float32
    with pytest.raises(UserError, match="Set workers to 0"):
        pickle.dumps(remote)


def test_an_array_is_read_by_the_number_in_its_token():
    server = LazyArrayServer()
    tokens = [server.register(ARRAY), server.register(ARRAY.astype(np.float32) + 1)]
    assert [(token.number, token.shape, token.dtype) for token in tokens] == [
        (0, (2, 3, 4), ARRAY.dtype), (1, (2, 3, 4), np.float32),
    ]  # fmt: skip
    np.testing.assert_array_equal(server.read(PlaneRequest(1, (slice(None), 2))), ARRAY[:, 2] + 1)
    np.testing.assert_array_equal(server.read(PlaneRequest(0, ...)), ARRAY)
    with pytest.raises(UserError, match=r"cannot be read \(IndexError"):
        server.read(PlaneRequest(0, 5))
    server.clear()
    with pytest.raises(UserError, match="cannot be read"):
        server.read(PlaneRequest(0, 0))
