"""Memory alone, which costs less to ask for than a whole machine."""

from __future__ import annotations

import sys

from convergio_mlx.platform.hardware.facts import Memory


def memory() -> Memory:
    """The memory of this machine, as it is now."""
    if sys.platform == "darwin":
        from convergio_mlx.platform.hardware import apple

        return apple.read_memory()
    from convergio_mlx.platform.hardware import linux

    return linux.read_memory()
