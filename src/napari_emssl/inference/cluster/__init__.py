"""A model applied to files by several machines: the part of each, or tasks for Dask workers; cli may import it."""
