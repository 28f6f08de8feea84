"""Folders, HDF5 sets and packs of images, paired with targets and split.

Simulation, training and everything above may import it.
"""
