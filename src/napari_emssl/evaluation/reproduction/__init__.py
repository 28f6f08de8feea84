"""Plans of experiments, run on any number of machines, with the tables, figures and page that come of them.

Cli and worker_jobs may import it.
"""
