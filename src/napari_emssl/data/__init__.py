"""Images, labels, data sets and training patches as arrays; any room may import it."""
