"""Images of noise, and settings that apply a model to them the plainest way."""

import numpy as np

from napari_emssl.jobs.settings import ApplySettings

FP32 = {"device": "cpu", "precision": "fp32"}
PLAIN = ApplySettings(**FP32)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(100, 20, shape).astype(np.float32)
