"""Fine-tuning of a start on few labels or pairs, with the data it learns from.

Training/in_context, evaluation, cli, gui, demo and worker_jobs may import it.
"""
