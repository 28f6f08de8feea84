"""No float64 on a device: the GPU of a Mac has none. Networks take the ways here that they take there."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import small_finetuning
import small_pretraining
import torch
from random_models import random_model
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from napari_emssl.inference.apply import apply
from napari_emssl.jobs.events import Event
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.networks import norm
from napari_emssl.training.finetuning.finetune import finetune
from napari_emssl.training.pretraining.pretrain import pretrain


class NoDoubles(TorchDispatchMode):
    """Fails at the first operation on images ``(b, c, h, w)`` or weights that would need float64."""

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = operation(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, result)):
            if isinstance(tensor, torch.Tensor) and tensor.ndim and tensor.dtype in (torch.float64, torch.complex128):
                raise TypeError(f"{operation} of float64, {tuple(tensor.shape)}")
        return result


def segmenting() -> list[Event]:
    image, numbers = small_finetuning.discs()
    settings = small_finetuning.small(task="segment", steps=4)
    return list(finetune([image], [small_finetuning.paint(numbers, 7)], settings, "scratch"))


def denoising() -> list[Event]:
    image = small_finetuning.discs()[0]
    settings = small_finetuning.small(task="denoise", steps=4)
    return list(finetune([image, image, image], [image, image, image], settings, "scratch"))


def pretraining() -> list[Event]:
    return list(pretrain(small_pretraining.blobs(), small_pretraining.small(steps=2)))


def collages() -> list[Event]:
    settings = small_pretraining.small(steps=2, pretext="collage+episodes", generator="unet-2-44", vector_channels=4)
    return list(pretrain(small_pretraining.blobs(), settings))


def applying() -> list[Event]:
    model = random_model("unet-3-96", task="segment")
    apply(model, np.zeros((80, 90), np.float32), ApplySettings(device="cpu", tile=64))
    return []


@pytest.mark.parametrize("job", [segmenting, denoising, pretraining, collages, applying], ids=lambda job: job.__name__)
def test_no_step_needs_float64(job: Callable[[], list[Event]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(norm, "_gains_by_folding", lambda x: False)
    with NoDoubles():
        job()
