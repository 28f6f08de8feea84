"""One job on many machines: the part that each does, or work given out by a Dask scheduler.

Inference, particles, evaluation and cli may import it.
"""
