"""The same fine-tuning from several starts with several seeds, scored at set steps; cli may import it."""
