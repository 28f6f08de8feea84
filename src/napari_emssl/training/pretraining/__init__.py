"""The GAN stage that pretrains generators on unlabelled images, on one process or many.

Evaluation, cli, gui and worker_jobs may import it.
"""
