"""Slow work in threads while the viewer stays alive: questions whose answers come later, work that is waited
for, and the orderly end of both.

Any room of gui may import it.
"""
