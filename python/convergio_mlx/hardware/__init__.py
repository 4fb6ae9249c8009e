"""What this machine is: its chip, its cores, its memory, its GPU. Nothing of MLX is needed."""

from __future__ import annotations

from convergio_mlx.hardware.detect import detect
from convergio_mlx.hardware.facts import Gpu, Hardware, Memory
from convergio_mlx.hardware.memory import memory

__all__ = ["Gpu", "Hardware", "Memory", "detect", "memory"]
