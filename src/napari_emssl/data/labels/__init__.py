"""Painting and masks as training targets, and the objects in them.

Training, evaluation, gui and demo may import it.
"""
