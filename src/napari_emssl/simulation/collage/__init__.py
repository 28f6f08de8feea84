"""Collages: drawn objects on real micrographs, with their truth; training, the simulation job and cli may import it."""
