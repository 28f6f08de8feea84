"""U-Nets, HRNet and the discriminator as plain torch modules that know nothing of data.

Models, training and gui may import it.
"""
