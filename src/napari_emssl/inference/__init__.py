"""The engine that applies models to images, with its tiles, memory plan and results.

Its subfolders, training/finetuning, training/context, training/live_preview, evaluation, export, cli, gui, demo and
worker_jobs may import it.
"""
