"""Segmentation in context: a model made from painted pixels without training; cli and gui may import it."""
