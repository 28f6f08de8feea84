"""Layers read into snapshots, and results put where their source lies; any room of gui may import it."""
