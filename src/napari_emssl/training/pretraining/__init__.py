"""The GAN stage that pretrains generators on unlabelled images, on one process or many.

Its subfolders, evaluation, cli, gui and worker_jobs may import it.
"""
