"""Image files, HDF5 included, read and written, with their pixel size and intensity scaling.

Any room may import it.
"""
