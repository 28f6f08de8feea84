"""The one training loop with its checkpoints, health checks and history.

The kinds of training below it, cli and gui may import it.
"""
