"""What a denoiser adds to: the smoothed image, and a share of the image itself."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_emssl.models.build import network_of
from napari_emssl.models.model_file import NetworkSpec
from napari_emssl.networks.image_to_image import WIDEST_SMOOTHING_PX, smoothed
from napari_emssl.training.finetuning.noise_start import SMOOTHINGS_PX, silence

NAMES = ("unet-2-44", "hrnet-w18-small", "resnet50-unet")


def image(edge: int = 64) -> torch.Tensor:
    return torch.rand(1, 1, edge, edge, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("sigma_px", [SMOOTHINGS_PX[0], 1.5, WIDEST_SMOOTHING_PX])
def test_smoothing_is_that_of_a_gaussian(sigma_px: float) -> None:
    expected = ndimage.gaussian_filter(image().numpy()[0, 0], sigma_px, mode="mirror", truncate=3.0)
    np.testing.assert_allclose(smoothed(image(), sigma_px)[0, 0], expected, atol=2e-3)


@pytest.mark.parametrize("name", NAMES)
def test_a_network_that_is_silent_gives_the_smoothed_image(name: str) -> None:
    network = network_of(NetworkSpec(name=name, smoothing_px=1.2)).eval()
    silence(network)
    with torch.inference_mode():
        torch.testing.assert_close(network(image()), smoothed(image(), 1.2))
        network.image_share = 0.25
        torch.testing.assert_close(network(image()), 0.75 * smoothed(image(), 1.2) + 0.25 * image())


@pytest.mark.parametrize("name", NAMES)
def test_without_either_the_output_is_that_of_the_weights(name: str) -> None:
    network = network_of(NetworkSpec(name=name)).eval()
    with torch.inference_mode():
        assert torch.equal(network(image()), network.output(image()))
