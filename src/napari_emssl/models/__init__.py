"""Model files, the zoo, downloads and what each task needs of a model.

Training, inference, evaluation, cli, gui and demo may import it.
"""
