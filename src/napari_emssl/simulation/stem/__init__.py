"""STEM of crystals from their atomic columns; simulation, export, cli, gui and demo may import it."""
