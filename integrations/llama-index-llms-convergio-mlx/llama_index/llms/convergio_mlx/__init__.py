"""Models of convergio-mlx for LlamaIndex."""

from llama_index.llms.convergio_mlx.base import ConvergioMlx

__all__ = ["ConvergioMlx"]
