"""Take a generator as a plain PyTorch network: random weights, or those of a model file."""

from pathlib import Path

import torch

import napari_emssl as em


def main(model: str | Path | None = None) -> torch.Tensor:
    """Run one batch through a generator; ``(b, 1, h, w)`` in and out."""
    if model is None:
        network = em.build_generator("unet-3-96", width=8)
    else:
        loaded = em.load_model(model)
        network = em.build_generator(loaded.card.network.name, loaded.card.network.width)
        network.load_state_dict({name: torch.from_numpy(array) for name, array in loaded.weights.items()})
    network.eval()
    with torch.inference_mode():
        restored: torch.Tensor = network(torch.randn(2, 1, 64, 96))
    print(tuple(restored.shape), sum(p.numel() for p in network.parameters()), "parameters")
    return restored


if __name__ == "__main__":
    main()
