"""Training patches cut, corrupted and augmented from planes, and the loader that batches them.

Training, evaluation and gui may import it.
"""
