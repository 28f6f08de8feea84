"""What is between a command and its terminal: streams that may break, signals that ask it to stop; cli may import it."""
