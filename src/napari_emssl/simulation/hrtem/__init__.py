"""HRTEM of nanoparticles on carbon by the multislice method; the simulation job, cli, gui and demo may import it."""
