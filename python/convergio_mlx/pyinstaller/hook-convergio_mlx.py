"""Collects what PyInstaller does not see: modules that are imported when they are first used, the
registry and the embedded model, MLX's libraries and Metal kernels, llguidance's library."""

from PyInstaller.utils.hooks import (
    collect_data_files,
    collect_dynamic_libs,
    collect_submodules,
    copy_metadata,
)

LEFT_OUT = ("convergio_mlx.pyinstaller", "convergio_mlx.testing")

hiddenimports = [
    name for name in collect_submodules("convergio_mlx") if not name.startswith(LEFT_OUT)
]
hiddenimports += ["jinja2", "llguidance", "tokenizers"]
datas = collect_data_files("convergio_mlx", excludes=["pyinstaller"])
datas += collect_data_files("mlx", subdir="lib", includes=["*.metallib"])
datas += copy_metadata("convergio-mlx")
binaries = collect_dynamic_libs("mlx")
