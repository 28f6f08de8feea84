"""What the docks that train share: the order of a training and the page of a kind of training.

Finetune and pretrain may import it.
"""
