"""HRTEM of nanoparticles on carbon by the multislice method; simulation, export, cli, gui and demo may import it."""
