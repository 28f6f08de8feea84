"""Painting and masks as training targets, and the objects in them.

The data sets and everything above may import it.
"""
