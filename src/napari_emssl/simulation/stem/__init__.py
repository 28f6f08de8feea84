"""STEM of crystals from their atomic columns; simulation, cli, gui and demo may import it."""
