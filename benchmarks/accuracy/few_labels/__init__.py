"""The protocol of few labels: micrographs with their truth, paint as of a user in a hurry, answers, and their scores.

`few_painted.py` runs it.
"""
