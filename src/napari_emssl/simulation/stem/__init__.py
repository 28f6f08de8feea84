"""STEM of crystals from their atomic columns; the simulation job, cli, gui and demo may import it."""
