MLX_VERSION: str
"""The one version of MLX that the native module was built with and runs with."""
