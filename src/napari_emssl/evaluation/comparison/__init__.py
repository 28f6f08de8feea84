"""The same fine-tuning from several starts with several seeds, scored at set steps.

Evaluation/reproduction, cli and worker_jobs may import it.
"""
