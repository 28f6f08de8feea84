"""HRTEM of nanoparticles on carbon by the multislice method; simulation, cli, gui and demo may import it."""
