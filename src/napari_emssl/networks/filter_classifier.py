"""A small classifier of pixels by filters, which has a share in what a network that remembers painted pixels answers.

The network knows objects, the filters know how bright and how rough the painted pixels are. With a share below one half
they decide only where the network is in doubt, for instance on objects of a few pixels.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

FILTERS = "filters"
"""Begins the names of a network's tensors that belong to its filters."""
GRID_PX = 4
"""Wide filters are computed on a grid so much coarser; images have edges that are multiples of it."""
_FINE, _WIDE = (0.5, 1.0, 2.0), (4.0, 8.0, 16.0)
"""Standard deviations of the Gaussians, pixels."""
_RESIZED_PX2 = (GRID_PX**2 - 1) / 12 + GRID_PX**2 / 6
"""Variance that shrinking and enlarging add to a wide Gaussian."""
_TRUNCATED = 4
"""Standard deviations after which a Gaussian ends."""
RESPONSES = 4 * len(_FINE + _WIDE)
RECEPTIVE_FIELD_PX = 2 * (_TRUNCATED * round(max(_WIDE)) + 3 * GRID_PX) + 1
MEMBERS, HIDDEN = 3, 16
"""Small networks whose probabilities are averaged, and how wide their one hidden layer is."""
_LEAST = 1e-6
"""Probability, so that its logarithm is finite."""


class PixelFilters(nn.Module):
    """Brightness, edge strength and both curvatures of an image at each of six scales, sigma 0.5 to 16 px."""

    def forward(self, images: Tensor) -> Tensor:
        """Map ``(b, 1, h, w)``, edges multiples of `GRID_PX`, to ``(b, RESPONSES, h, w)`` float32."""
        images = images.float()
        with torch.autocast(images.device.type, enabled=False):  # curvatures are small differences
            fine = [_described(_blurred(images, sigma)) for sigma in _FINE]
            coarse = functional.avg_pool2d(images, GRID_PX)
            sigmas = [math.sqrt(sigma**2 - _RESIZED_PX2) / GRID_PX for sigma in _WIDE]
            wide = torch.cat([_described(_blurred(coarse, sigma)) for sigma in sigmas], 1)
            enlarged = functional.interpolate(wide, scale_factor=GRID_PX, mode="bilinear", align_corners=False)
            return torch.cat([*fine, enlarged], 1)


class FilterClassifier(nn.Module):
    """Small networks that tell classes from responses of filters; made by `training.context.fitted_filters`.

    Parameters
    ----------
    classes
        Background included.
    share
        Of the filters in the probabilities of both together, 0 to 1.

    """

    def __init__(self, classes: int, share: float) -> None:
        super().__init__()
        self.classes, self.share = classes, share
        self.responses = PixelFilters()
        self.mean: Tensor
        self.spread: Tensor
        self.register_buffer("mean", torch.zeros(RESPONSES))
        self.register_buffer("spread", torch.ones(RESPONSES))
        self.hidden = nn.Conv2d(RESPONSES, MEMBERS * HIDDEN, 1)
        self.output = nn.Conv2d(MEMBERS * HIDDEN, MEMBERS * classes, 1, groups=MEMBERS)
        self.requires_grad_(False)  # fitted to all painted pixels at once, not step by step

    def forward(self, images: Tensor, logits: Tensor) -> Tensor:
        """Return logits of filters and network together, of images ``(b, 1, h, w)``; see `together`."""
        mixed = self.mixed(self.classified(self.responses(images)), logits).clamp_min(_LEAST).log()
        return mixed[:, 1:] - mixed[:, :1] if logits.shape[1] == 1 else mixed

    def classified(self, responses: Tensor) -> Tensor:
        """Map responses ``(b, RESPONSES, h, w)`` to probabilities ``(b, classes, h, w)``, float32."""
        with torch.autocast(responses.device.type, enabled=False):
            scaled = (responses.float() - self.mean[:, None, None]) / self.spread[:, None, None]
            members = torch.split(self.output(torch.relu(self.hidden(scaled))), self.classes, 1)
            return torch.stack([logits.softmax(1) for logits in members]).mean(0)

    def mixed(self, probabilities: Tensor, logits: Tensor) -> Tensor:
        """Let filters and network decide together.

        Parameters
        ----------
        probabilities
            Of the filters, ``(b, classes, h, w)``.
        logits
            Of the network: ``(b, 1, h, w)`` of the one class, or ``(b, classes, h, w)`` of several.

        Returns
        -------
        torch.Tensor
            Their mean probabilities ``(b, classes, h, w)``, float32.

        """
        return self.share * probabilities + (1 - self.share) * shares_of(logits)


def shares_of(logits: Tensor) -> Tensor:
    """Return logits, of one class ``(b, 1, h, w)`` or of all, as probabilities of all ``(b, classes, h, w)``."""
    logits = logits.float()
    return torch.cat([-logits, logits], 1).sigmoid() if logits.shape[1] == 1 else logits.softmax(1)


def _blurred(images: Tensor, sigma: float) -> Tensor:
    """Return images ``(b, 1, h, w)`` behind a Gaussian; their borders go on as they end."""
    reach = max(1, round(_TRUNCATED * sigma))
    places = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-0.5 * (places / sigma) ** 2)
    kernel = kernel / kernel.sum()
    extended = functional.pad(images, (reach, reach, reach, reach), mode="replicate")
    rows = functional.conv2d(extended, kernel.view(1, 1, 1, -1))
    return functional.conv2d(rows, kernel.view(1, 1, -1, 1))


def _described(images: Tensor) -> Tensor:
    """Return brightness, gradient, larger and smaller curvature of images ``(b, 1, h, w)``: ``(b, 4, h, w)``."""
    around = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    up, down = around[..., :-2, 1:-1], around[..., 2:, 1:-1]
    left, right = around[..., 1:-1, :-2], around[..., 1:-1, 2:]
    steepness = _length((down - up) / 2, (right - left) / 2)
    along_y, along_x = down + up - 2 * images, right + left - 2 * images
    mixed = (around[..., 2:, 2:] + around[..., :-2, :-2] - around[..., 2:, :-2] - around[..., :-2, 2:]) / 4
    mean, spread = (along_y + along_x) / 2, _length((along_y - along_x) / 2, mixed)
    return torch.cat([images, steepness, mean + spread, mean - spread], 1)


def _length(first: Tensor, second: Tensor) -> Tensor:
    return (first**2 + second**2).sqrt()  # ONNX has no hypot
