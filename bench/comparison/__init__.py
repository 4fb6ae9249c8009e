"""Ours, mlx-lm and llama.cpp measured side by side; bench/compare.py is the command."""
