"""The test of a pretrained generator: how well it restores images that it has never seen."""

from collections.abc import Callable

import torch

from ...data.patches.corruption import corrupt
from ...data.patches.unlabelled_patches import UnlabelledPatches
from ...jobs.devices import Device, place
from ...jobs.pretrain_settings import PretrainSettings
from ...models.model_file import Model
from ...models.objectives import objective_of
from ...models.weights import generator_of, transfer


def restoration_l1(
    model: Model,
    patches: UnlabelledPatches,
    settings: PretrainSettings,
    device: Device,
    stopped: Callable[[], bool],
) -> float | None:
    """Return the mean absolute error of restored test patches, in units of the scaled intensity.

    Each test plane gives one patch, corrupted as in training; seed and position decide all of it.

    Parameters
    ----------
    model
        A pretrained generator that restores.
    patches
        The test patches.
    settings
        Those of the pretraining: seed, batch size and corruption.
    device
        Where to compute.
    stopped
        Asked before each batch whether to give up.

    Returns
    -------
    float or None
        None when there is no patch or it was given up.

    """
    network = generator_of(model.card.network)
    transfer(model.weights, network)
    network = place(network, device).eval()
    decode = objective_of(model.card).decode
    source = torch.Generator(device.torch_device).manual_seed(settings.seed)
    total, count = 0.0, len(patches)
    for start in range(0, count, settings.batch_size):
        if stopped():
            return None
        positions = range(start, min(start + settings.batch_size, count))
        clean = torch.stack([patches[position] for position in positions]).to(device.torch_device)
        with torch.inference_mode(), device.autocast():
            restored = decode(network(corrupt(clean, settings.noise, settings.blur, source)))
        total += float((restored - clean).abs().mean()) * len(positions)
    return total / count if count else None
