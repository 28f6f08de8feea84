"""The GAN stage that pretrains generators on unlabelled images, on one process or many; cli and gui may import it."""
