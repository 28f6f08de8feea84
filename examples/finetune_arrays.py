"""Fine-tune on one image with a little painting, then segment the whole image."""

import numpy as np

import napari_emssl as em


def main(seconds: float = 20, size: int = 256) -> tuple[em.Model, np.ndarray]:
    """Paint part of a simulated micrograph, train on it, return the model and the labels it finds."""
    made = em.simulate_hrtem(em.HRTEMSettings(size_px=size, particles_max=8, diameter_max_nm=5), seed=1)
    painting = np.zeros(made.image.shape, np.uint8)  # 0: unpainted, ignored by training
    painted = np.s_[: size // 2, : size // 2]
    painting[painted] = made.mask[painted] + 1  # 1: background, 2: particle

    job = em.finetune([made.image], [painting], em.FinetuneSettings(task="segment", max_seconds=seconds))
    model = job.result()
    labels = em.apply(model, made.image)  # 0: background, 1: particle
    print(f"{(labels == made.mask).mean():.1%} of all pixels are right.")
    return model, labels


if __name__ == "__main__":
    main()
