"""Ground floor: files and arrays in, planes, patches and corrupted tensors out."""
