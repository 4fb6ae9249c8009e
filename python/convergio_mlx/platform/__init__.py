"""The machine: where files lie, what it has, what MLX can do on it."""
