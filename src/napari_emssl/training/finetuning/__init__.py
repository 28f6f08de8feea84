"""Fine-tuning of a start on few labels or pairs, with the data it learns from.

Evaluation, cli, gui, demo and worker_jobs may import it.
"""
