"""Pretext tasks on collages, and several tasks at once; each is loaded when it is asked for.

The tables in `pretraining/pretext_training.py` and in `joint.py` name them; nothing imports it.
"""
