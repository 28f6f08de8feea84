"""What is painted: labels and their meaning, brushes, planes with paint, kept paintings; segment may import it."""
