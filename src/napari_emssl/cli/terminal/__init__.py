"""What is between a command and its terminal: streams that may break, signals to stop, and what to report of a fault.

Cli may import it.
"""
