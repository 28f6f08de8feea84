"""Which images are learnt from, which choose the best weights and which are scored, drawn without dividing an origin.

Data/datasets, data/patches, training, evaluation and cli may import it.
"""
