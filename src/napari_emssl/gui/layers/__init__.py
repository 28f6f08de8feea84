"""Layers read into snapshots, and results put where their source lies; all docks may import it."""
