"""A job on screen: start, pause, stop, progress, messages and live curves; all docks may import it."""
