"""Memory that runs out is told from all other errors, wherever it runs out."""

import errno

import numpy as np
import pytest
import torch

from napari_emssl.resources import is_out_of_memory


def test_memory_that_is_full_is_known_by_whoever_says_so() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(OSError(errno.ENOMEM, "Cannot allocate memory"))
    with pytest.raises(RuntimeError) as of_torch:
        torch.empty(2**60)
    with pytest.raises(MemoryError) as of_numpy:
        np.empty(2**60, np.uint8)
    assert is_out_of_memory(of_torch.value)
    for text in ("can't start new thread", "could not create a primitive"):
        assert is_out_of_memory(RuntimeError(text))
    assert is_out_of_memory(ImportError("libzstd.so.1: failed to map segment from shared object"))
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 18.08 GB)"))
    assert is_out_of_memory(of_numpy.value)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Given groups=1, expected 3 channels"),
        OSError(errno.ENOSPC, "full"),
        ValueError("memory"),
        ImportError("No module named 'x'"),
    ],
)
def test_other_errors_are_not(error: Exception) -> None:
    assert not is_out_of_memory(error)
