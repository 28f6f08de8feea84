"""Scores of models against targets; cli and gui may import it."""
