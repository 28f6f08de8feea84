"""Segmentation in context: a model made from painted pixels without training, and training that begins from it.

Training/live_preview, cli, gui, demo and worker_jobs may import it.
"""
