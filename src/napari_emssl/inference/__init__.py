"""The engine that applies models to images, with its tiles, memory plan and results.

Training/finetuning, evaluation, cli, gui, demo and worker_jobs may import it.
"""
