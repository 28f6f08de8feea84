"""Weights that other programs have trained: read from their files, renamed, and made a start.

Cli may import it.
"""
