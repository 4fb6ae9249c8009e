"""The native module, imported when first used and checked against the MLX it finds."""

from __future__ import annotations

import atexit
from functools import lru_cache
from importlib import import_module
from types import ModuleType

from convergio_mlx.errors import UnavailableError, VersionMismatchError

_PACKAGES = ("mlx", "mlx-cpu", "mlx-metal", "mlx-cuda-13", "mlx-cuda-12")


def _installed() -> dict[str, str]:
    """The MLX packages that are installed, with their versions."""
    from importlib import metadata  # slow to import, and wanted after a failure alone

    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _mismatch(found: str, needed: str) -> VersionMismatchError:
    remedy = f"pip install mlx=={needed}"
    return VersionMismatchError(
        f"[native] convergio-mlx was built with mlx {needed} and needs just that, but this "
        f"environment has mlx {found}; run `{remedy}`.",
        hint=remedy,
    )


@lru_cache(maxsize=1)
def native() -> ModuleType:
    """The extension module `convergio_mlx._native`.

    Raises:
        VersionMismatchError: the installed MLX is another version than the one built with.
        UnavailableError: MLX is not installed, or cannot be loaded on this machine.
    """
    try:
        needed = str(import_module("convergio_mlx._mlx_version").MLX_VERSION)
    except ImportError as error:
        raise UnavailableError(
            "[native] this is convergio-mlx without its native module; install the package with "
            "`pip install convergio-mlx`, or `pip install .` in its source folder."
        ) from error
    try:
        core = import_module("convergio_mlx._native")
    except ImportError as error:
        installed = _installed()
        others = [version for version in installed.values() if version != needed]
        if others:
            raise _mismatch(others[0], needed) from error
        if "mlx" not in installed or len(installed) == 1:
            raise UnavailableError(
                f"[native] MLX {needed} is not installed; run `pip install convergio-mlx` again."
            ) from error
        raise UnavailableError(
            f"[native] the native module cannot be loaded here ({error}); "
            "reinstall convergio-mlx on this machine."
        ) from error
    if core.mlx_version() != needed:
        raise _mismatch(core.mlx_version(), needed)
    atexit.register(core.shutdown)
    return core
