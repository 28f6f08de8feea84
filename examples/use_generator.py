"""Take a generator as a plain PyTorch network: random weights, or those of a model file."""

from pathlib import Path

import torch

import napari_emssl as em
from napari_emssl.models.build import build_network


def main(model: str | Path | None = None) -> torch.Tensor:
    """Run one batch through a generator; ``(b, 1, h, w)`` in, and out too if it restores images."""
    network = em.build_generator("unet-3-96", width=8) if model is None else build_network(em.load_model(model))
    network.eval()
    with torch.inference_mode():
        restored: torch.Tensor = network(torch.randn(2, 1, 64, 96))
    print(tuple(restored.shape), sum(p.numel() for p in network.parameters()), "parameters")
    return restored


if __name__ == "__main__":
    main()
