"""What storing weights in 16 bits costs a generator: L1 and bytes, before and after.

The table in docs/measurements/model-storage.md.

FOLDER holds unlabelled images. A patch of every third image is corrupted as in pretraining, the same for both files.

    python benchmarks/accuracy/float16_storage.py FOLDER [NAME ...]
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.data.images.opening import read_image
from napari_emssl.data.patches.corruption import corrupt
from napari_emssl.models.build import build_network
from napari_emssl.models.model_file import Model, read_model
from napari_emssl.models.zoo import export_model, find_model, list_models

PATCH = 224


def patches(folder: Path) -> torch.Tensor:
    """Return patches ``(n, 1, h, w)`` from the middle of every third image, scaled to about [0, 1]."""
    scaled = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".tif", ".tiff", ".jpg"))[::3]:
        plane = np.asarray(read_image(path).planes[0])
        if min(plane.shape) >= PATCH:
            y, x = ((edge - PATCH) // 2 for edge in plane.shape)
            scaled.append(IntensityScaling().fit(plane).to_unit(plane[y : y + PATCH, x : x + PATCH]))
    return torch.from_numpy(np.stack(scaled)[:, None])


@torch.inference_mode()
def outputs(model: Model, corrupted: torch.Tensor) -> torch.Tensor:
    """Return what the generator makes of the patches."""
    network = build_network(model)
    return torch.cat([network(batch) for batch in corrupted.split(8)])


def main() -> None:
    """Print a line for each generator."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="generators; by default all that ship")
    chosen = parser.parse_args()
    names = chosen.names or [entry.name for entry in list_models() if entry.origin == "shipped"]
    clean = patches(chosen.folder)
    corrupted = corrupt(clean, (0.02, 0.2), (0.0, 2.0), torch.Generator().manual_seed(0))
    print(f"{len(clean)} patches of {PATCH} px; L1 of the corrupted ones {float((corrupted - clean).abs().mean()):.5f}")
    print("generator  bytes float32  bytes float16  L1 float32  L1 float16  largest difference of outputs")
    for name in names:
        with tempfile.TemporaryDirectory() as place:
            full, small = Path(place) / "32.safetensors", Path(place) / "16.safetensors"
            export_model(find_model(name), full, "float32")
            export_model(find_model(name), small, "float16")
            sizes = full.stat().st_size, small.stat().st_size
            before, after = (outputs(read_model(path), corrupted) for path in (full, small))
        losses = "  ".join(f"{float((made - clean).abs().mean()):.6f}" for made in (before, after))
        print(f"{name}  {sizes[0]}  {sizes[1]}  {losses}  {float((before - after).abs().max()):.6f}")


if __name__ == "__main__":
    main()
