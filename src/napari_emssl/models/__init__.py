"""Model files, the zoo, downloads and what each task needs of a model.

Jobs, training, inference, evaluation, cli and gui may import it.
"""
