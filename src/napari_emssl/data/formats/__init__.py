"""File formats: what each file holds, and its values mapped or read plane by plane.

Its subfolders, data/images, data/datasets, models, inference and gui may import it.
"""
