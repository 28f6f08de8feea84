"""U-Nets, HRNet, a U-Net on a ResNet50 and the discriminator as plain torch modules that know nothing of data.

Models, training, inference, evaluation, export and gui may import it.
"""
