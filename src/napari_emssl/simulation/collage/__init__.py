"""Collages: objects drawn on micrographs, with their truth; training, cli and gui may import it."""
