"""What the manifest offers besides docks: reader, writer, samples and commands; particles may import it."""
