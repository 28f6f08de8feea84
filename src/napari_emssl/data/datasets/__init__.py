"""Folders, HDF5 sets and packs of images, paired with targets and split.

Data/patches, simulation, training, evaluation, cli and gui may import it.
"""
