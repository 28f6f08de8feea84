"""Pretrain a generator on unlabelled images: it learns to restore what was corrupted."""

from pathlib import Path

import napari_emssl as em


def main(images: str | Path = "images", output: str | Path = "generator.safetensors", steps: int = 500) -> em.Model:
    """Pretrain on a folder of images, write the model file."""
    settings = em.PretrainSettings(generator="unet-2-44", steps=steps, batch_size=8, patch=64)
    for event in em.pretrain([images], settings, name="my-generator"):
        if isinstance(event, em.Started):
            print(event.summary)  # also says how many images are held out: a tenth, so of fewer than ten none
        elif isinstance(event, em.Progress) and event.metrics:
            print(f"step {event.step}: validation L1 {event.metrics['l1']:.3f}, {event.seconds_left or 0:.0f} s left")
    model: em.Model = event.result
    em.save_model(model, output)
    return model


if __name__ == "__main__":
    main()
