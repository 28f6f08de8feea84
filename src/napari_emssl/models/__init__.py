"""Model files, the zoo, downloads and what each task needs of a model.

Its own models/imports, training, inference, evaluation, cli, gui and demo may import it.
"""
