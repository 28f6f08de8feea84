"""A model's network as a file that other programs can run without this one: TorchScript and ONNX."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ..errors import UserError
from ..models.build import build_network
from ..models.model_file import Model
from ..models.objectives import objective_of
from ..models.tasks import task_of
from ..networks.in_context import InContextNetwork

OPSET = 17
"""Version of ONNX's operators; old enough for the programs that read it."""
INPUT, OUTPUT = "image", "result"
"""Names of the network's tensors."""
_AT_ONCE = 64
"""Painted pixels compared at a time: the table of similarities has a row for each of them."""
_SMALLEST_EDGE = 32


class PortableNetwork(nn.Module):
    """A model's network, with what other programs cannot declare behind it.

    Maps scaled images ``(b, 1, h, w)`` to logits ``(b, 1 | classes, h, w)``, or to scaled intensities
    ``(b, 1, upscale * h, upscale * w)``.

    Raises
    ------
    UserError
        When weights are missing, the model is a generator that gives no images, or its file is damaged.

    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        if model.card.partial:
            raise UserError(f"Weights of '{model.name}' are missing, so it cannot be run. Fine-tune it first.")
        labels = task_of(model.card.task).gives_labels
        self._decode = None if labels else objective_of(model.card).decode
        network = build_network(model).requires_grad_(False)
        self.stride, self.receptive_field = cast(int, network.stride), cast(int, network.receptive_field)
        self.network = _Remembering(network) if isinstance(network, InContextNetwork) else network

    def forward(self, images: Tensor) -> Tensor:
        """Map scaled images to logits or scaled intensities."""
        output: Tensor = self.network(images)
        return output if self._decode is None else self._decode(output)


class _Remembering(nn.Module):
    """An `InContextNetwork` whose painted pixels are constants, for images and batches of any size.

    That one compares the pixels of an image piece by piece, in a loop whose length tracing would write down; here the
    loop goes over the painted pixels, whose number is known.
    """

    def __init__(self, network: InContextNetwork) -> None:
        super().__init__()
        self.inner, self.classes = network, len(network.context)
        for number, vectors in enumerate(network.context):
            self.register_buffer(f"painted_{number}", functional.normalize(vectors.detach(), dim=0))

    def forward(self, images: Tensor) -> Tensor:
        """Map images ``(b, 1, h, w)`` to logits ``(b, 1 | classes, h, w)``."""
        scaled = self.inner.scaled(images)
        vectors = self.inner.vectors(scaled)
        logits = [self._logit(vectors, getattr(self, f"painted_{number}")) for number in range(self.classes)]
        drawn = self.inner.drawn(scaled, vectors, torch.cat(logits, 1))
        return self.inner.with_filters(images, self.inner.unscaled(drawn))

    def _logit(self, vectors: Tensor, painted: Tensor) -> Tensor:
        """Return the logit ``(b, 1, h, w)`` of a class with painted pixels ``(c, m)``; see `attention.class_logits`."""
        total: Tensor | None = None
        for piece in torch.split(painted, _AT_ONCE, 1):
            near = functional.conv2d(vectors, (self.inner.sharpness * piece.T)[:, :, None, None])
            total = torch.logsumexp(near if total is None else torch.cat([total, near], 1), 1, keepdim=True)
        assert total is not None
        return total - math.log(painted.shape[1])


def write_torchscript(network: PortableNetwork, path: Path) -> None:
    """Write the network as TorchScript."""
    with _quiet():
        traced = torch.jit.trace(network, _example(network), check_trace=False)  # type: ignore[no-untyped-call]
        # written by Python: torch's own writer cannot open every path on Windows
        with path.open("wb") as file:
            torch.jit.save(traced, file)


def write_onnx(network: PortableNetwork, path: Path) -> None:
    """Write the network as ONNX, for batches and images of any size."""
    free = {0: "batch", 2: "y", 3: "x"}
    with _quiet():
        torch.onnx.export(
            network, (_example(network),), str(path), opset_version=OPSET, dynamo=False, input_names=[INPUT],
            output_names=[OUTPUT], dynamic_axes={INPUT: free, OUTPUT: free},
        )  # fmt: skip


def run_torchscript(path: Path, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what a TorchScript file gives for scaled images ``(b, 1, h, w)``."""
    with path.open("rb") as file, _quiet(), torch.inference_mode():
        network = torch.jit.load(file, map_location="cpu")  # type: ignore[no-untyped-call]
        return np.asarray(network(torch.from_numpy(images)))


def run_onnx(path: Path, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what an ONNX file gives for scaled images ``(b, 1, h, w)``."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run([OUTPUT], {INPUT: images})[0], np.float32)


def _example(network: PortableNetwork) -> Tensor:
    """Return a small image to trace the network with, no square so that no axis passes for the other."""
    edge = -(-_SMALLEST_EDGE // network.stride) * network.stride
    return torch.linspace(0, 1, 2 * edge * 3 * edge).reshape(1, 1, 2 * edge, 3 * edge)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from warning of tracing: what is traced here is tested for other sizes than the example's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
