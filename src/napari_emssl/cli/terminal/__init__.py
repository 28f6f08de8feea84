"""What is between a command and its terminal: streams that may break, and signals to stop; cli may import it."""
