"""What the manifest offers besides docks: reader, writer, samples and commands; nothing imports it."""
