"""The program beside CAREamics and AtomAI: their environments, what each side does, and the scores.

`beside_peers.py` runs it. The files `ours.py`, `n2v.py` and `segmentor.py` run in processes of their own, the latter
two in the environments of the peers: they import nothing of each other, nor of the rest.
"""
