"""Runs in a frozen program before its own code."""

from convergio_mlx.text.frozen import freeze_support

freeze_support()
