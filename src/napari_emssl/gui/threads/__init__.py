"""Slow work in threads while the viewer stays alive: questions whose answers come later, and work that is waited for.

Every folder of the docks may import it; it imports none of them.
"""
