"""Slow work in threads while the viewer stays alive: questions whose answers come later, and work that is waited for.

Any room of gui may import it.
"""
