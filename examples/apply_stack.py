"""Apply a model to a stack plane by plane: the stack is never in memory as a whole, and neither is the result."""

from pathlib import Path

import napari_emssl as em
from napari_emssl.inference.apply import apply_files


def main(model: str | Path = "my-model.safetensors", stack: str | Path = "stack.tif", folder: str = "results") -> Path:
    """Write the labels of a stack as OME-Zarr."""
    job = apply_files(em.load_model(model), [stack], folder, em.ApplySettings(), file_format="zarr")
    for event in job:
        if isinstance(event, em.Progress):
            print(f"{event.fraction:.0%}")
        elif isinstance(event, em.Notice):
            print(event.text)
    written: Path = event.result[0]
    return written


if __name__ == "__main__":
    main()
