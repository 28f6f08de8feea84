"""Scores of models against targets; cli, gui and worker_jobs may import it."""
