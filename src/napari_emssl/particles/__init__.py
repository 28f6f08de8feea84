"""Sizes of segmented particles, in calibrated units. Needs no torch; skimage and scipy are imported when used."""

from .measure import measure_particles
from .table import ParticleTable

__all__ = ["ParticleTable", "measure_particles"]
