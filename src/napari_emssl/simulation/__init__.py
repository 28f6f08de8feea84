"""Simulated micrographs with their truth, and the job that writes them.

Cli, gui, demo and worker_jobs may import it.
"""
