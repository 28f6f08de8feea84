"""The flags that share the work of one command out over many machines; cli may import it."""
