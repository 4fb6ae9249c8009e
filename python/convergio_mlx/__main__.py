"""`python -m convergio_mlx`: the same program as `convergio-mlx`."""

from __future__ import annotations

from convergio_mlx.cli import main

if __name__ == "__main__":
    main()
