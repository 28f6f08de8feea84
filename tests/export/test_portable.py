"""The exported files give what the model's own network gives, for batches and images of other sizes than the traced."""

from pathlib import Path

import numpy as np
import pytest
import torch
from random_models import random_in_context, random_model

from napari_emssl.errors import UserError
from napari_emssl.export.bioimageio import TOLERANCE
from napari_emssl.export.portable import PortableNetwork, run_onnx, run_torchscript, write_onnx, write_torchscript
from napari_emssl.models.build import build_network
from napari_emssl.models.model_file import Model
from napari_emssl.models.objectives import objective_of

pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed; tox -e export has it")

MODELS = {
    "denoise": random_model(),
    "one class": random_model(task="segment", width=4),
    "three classes": random_model("unet-3-96", task="segment", classes=("background", "a", "b", "c")),
    "super-resolve x2": random_model(task="super-resolve", upscale=2),
    "hrnet": random_model("hrnet-w18-small", width=4, task="segment", refine=True),
    "in context": random_in_context(),
    "in context, shrunk, three classes": random_in_context((130, 5, 3, 64), scale=0.5),
    "in context, with filters": random_in_context(filter_share=0.33),
    "in context, with filters, three classes": random_in_context((7, 5, 6), filter_share=0.5),
    "in context, enlarged, no decoder": random_in_context((3, 2, 1), scale=2.0, decoder=""),
}


def own(model: Model, images: np.ndarray) -> np.ndarray:
    """What the model's network gives: logits of classes, or scaled intensities."""
    with torch.inference_mode():
        output = build_network(model)(torch.from_numpy(images))
        return (output if model.card.task == "segment" else objective_of(model.card).decode(output)).numpy()


@pytest.mark.parametrize("name", MODELS)
def test_torchscript_and_onnx_give_what_the_network_gives(tmp_path: Path, name: str) -> None:
    model = MODELS[name]
    network = PortableNetwork(model).eval()
    write_torchscript(network, tmp_path / "weights.pt")
    write_onnx(network, tmp_path / "weights.onnx")
    for batch, height, width in ((1, 1, 1), (2, 2, 5), (1, 7, 3)):
        edge = network.stride if network.stride > 4 else 4 * network.stride
        images = np.random.default_rng(batch).normal(0.5, 0.5, (batch, 1, height * edge, width * edge))
        wanted = own(model, images.astype(np.float32))
        for run, file in ((run_torchscript, "weights.pt"), (run_onnx, "weights.onnx")):
            given = run(tmp_path / file, images.astype(np.float32))
            assert given.shape == wanted.shape
            assert np.abs(given - wanted).max() <= TOLERANCE * max(1.0, float(np.abs(wanted).max()))


def test_a_generator_without_images_is_refused() -> None:
    generator = random_model(task="reconstruct")
    spec = generator.card.network.model_copy(update={"heads": ("objects",)})
    without = Model(generator.card.model_copy(update={"network": spec}), generator.weights)
    with pytest.raises(UserError, match="gives no images"):
        PortableNetwork(without)
