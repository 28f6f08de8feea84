"""TIFF: pages read one by one.

Data/images may import it.
"""
