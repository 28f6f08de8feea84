"""The commands around the paper's experiments: preparing its data, reproducing its tables; nothing imports it."""
