"""Fine-tune on folders of images and masks that pair up by name, save the model, score it on other pairs."""

from pathlib import Path

import napari_emssl as em


def main(folder: str | Path = "training", test: str | Path = "test", seconds: float = 60) -> float:
    """Train on ``folder/images`` and ``folder/targets``; return the mean Dice on the pairs of ``test``."""
    folder, test = Path(folder), Path(test)
    settings = em.FinetuneSettings(task="segment", max_seconds=seconds, zero="background")
    model = em.finetune(folder / "images", folder / "targets", settings, name="my-model").result()
    em.save_model(model, folder / "my-model.safetensors")

    scores = em.evaluate(model, test / "images", test / "targets")
    for name, value in scores.mean.items():
        print(f"{name}: {value:.3f}")
    return scores.mean["dice"]


if __name__ == "__main__":
    main()
