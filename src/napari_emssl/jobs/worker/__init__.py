"""Jobs in a process of their own that yields the same events; evaluation, cli, gui and worker_jobs may import it."""
