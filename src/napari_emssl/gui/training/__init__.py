"""What the docks that train share: the order of a training and the page of a kind of training.

Those docks may import it.
"""
