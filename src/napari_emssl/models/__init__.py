"""Model files, the zoo, downloads and what each task needs of a model.

Its subfolders, training, inference, evaluation, export, cli, gui and demo may import it.
"""
