"""The one training loop with its checkpoints, health checks and history.

Its subfolders, evaluation, cli, gui and demo may import it.
"""
