"""Sizes of segmented particles, as tables, histograms and statistics; cli, gui and demo may import it."""

from .measure import measure_particles
from .table import ParticleTable

__all__ = ["ParticleTable", "measure_particles"]
