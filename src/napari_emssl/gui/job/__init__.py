"""A job on screen: start, pause, stop, progress, messages and live curves; any room of gui may import it."""
