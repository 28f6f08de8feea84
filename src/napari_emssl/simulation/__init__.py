"""Simulated micrographs with their truth, and the job that writes them; cli, gui and demo may import it."""
