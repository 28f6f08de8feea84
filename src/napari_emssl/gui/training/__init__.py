"""What the docks that train share: the contract of a page, what is asked of its request, and the way into the zoo.

Finetune and pretrain may import it.
"""
