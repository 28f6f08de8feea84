"""The prediction that appears while one paints, before any training; gui and worker_jobs may import it."""
