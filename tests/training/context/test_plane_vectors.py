"""Planes looked at tile by tile are what they are as a whole, and no more is kept than fits."""

import numpy as np
import pytest
import torch

from napari_emssl.inference.tiles import padded
from napari_emssl.jobs.context_settings import ContextSettings
from napari_emssl.jobs.devices import choose_device
from napari_emssl.models.build import network_of
from napari_emssl.models.model_file import NetworkSpec
from napari_emssl.networks.in_context import InContextNetwork
from napari_emssl.training.context import tiled_planes
from napari_emssl.training.context.network import remember
from napari_emssl.training.context.plane_vectors import PlaneVectors

DEVICE = choose_device(ContextSettings(device="cpu", precision="fp32"))


def network(scale: float = 1.0, decoder: str = "unet-2-44", classes: int = 2) -> InContextNetwork:
    """A network of random weights that remembers random vectors."""
    torch.manual_seed(0)
    spec = NetworkSpec(
        name="unet-2-44", width=2, out_channels=3, vector_channels=3, mask_decoder=decoder, painted=(5,) * classes,
        scale=scale,
    )  # fmt: skip
    made = network_of(spec).eval()
    if made.mask_decoder is not None:
        torch.nn.init.normal_(made.mask_decoder.network.head.weight)
    remember(made, [torch.nn.functional.normalize(torch.randn(3, 5), dim=0) for _ in range(classes)])
    return made


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("scale", [1.0, 2.0, 0.5])
@pytest.mark.parametrize("decoder", ["", "unet-2-44"])
def test_tiles_are_the_whole(monkeypatch: pytest.MonkeyPatch, scale: float, decoder: str, classes: int) -> None:
    monkeypatch.setattr(tiled_planes, "_TILE_PX", 128)
    monkeypatch.setattr(tiled_planes, "_WHOLE_PX", 128)
    image = np.random.default_rng(0).random((250, 300), np.float32)
    made = network(scale, decoder, classes)
    vectors = PlaneVectors(made, DEVICE)
    plane = vectors.plane(image, b"a")
    found = np.zeros((classes, *image.shape), np.float32)
    for tile in plane.tiles:
        found[(..., *plane.shown(tile).slices)] = vectors.probabilities(plane, tile)
    with torch.inference_mode():
        logits = made(torch.from_numpy(padded(image, made.stride))[None, None])[0, :, :250, :300]
    wanted = torch.cat([-logits, logits]).sigmoid() if classes == 2 else logits.softmax(0)
    assert len(plane.tiles) == 6
    np.testing.assert_allclose(found, wanted.numpy(), atol=0.02)  # vectors are kept in 16 bits


def test_vectors_of_single_pixels_are_those_of_the_plane() -> None:
    image = np.random.default_rng(1).random((100, 90), np.float32)
    made = network()
    vectors = PlaneVectors(made, DEVICE)
    pixels = np.array([[0, 0], [99, 89], [37, 5]])
    with torch.inference_mode():
        whole = made.vectors(torch.from_numpy(padded(image, made.stride))[None, None])[0]
    found = vectors.at(vectors.plane(image, b"a"), pixels)
    torch.testing.assert_close(found, whole[:, pixels[:, 0], pixels[:, 1]], atol=1e-3, rtol=0)


def test_the_network_runs_once_and_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    made, runs = network(), []
    monkeypatch.setattr(made, "vectors", lambda scaled, real=made.vectors: runs.append(1) or real(scaled))
    planes = [np.random.default_rng(seed).random((64, 64), np.float32) for seed in range(3)]
    vectors = PlaneVectors(made, DEVICE, most_bytes=2 * 64 * 64 * 3 * 2)
    known = [vectors.plane(image, bytes([number])) for number, image in enumerate(planes)]
    for number in (0, 0, 1, 0, 1, 2):
        vectors.at(known[number], np.array([[3, 3]]))
    assert len(runs) == 3
    vectors.at(known[1], np.array([[3, 3]]))
    assert len(runs) == 3
    vectors.at(known[0], np.array([[3, 3]]))
    assert len(runs) == 4
