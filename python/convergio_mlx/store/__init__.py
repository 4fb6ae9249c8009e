"""The models on this machine: what is under `~/.convergio/models/mlx` is what was published.

    from convergio_mlx import store

    store.download("llama-3.2-1b", on_progress=lambda progress: print(progress.done_bytes))

Every function takes a model's id, a leading `mlx/` accepted, and may be called by several threads
and processes at once. docs/models.md tells what lies where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from convergio_mlx.lazy import lazy_names

if TYPE_CHECKING:
    from convergio_mlx.store.deletion import delete
    from convergio_mlx.store.downloading import download
    from convergio_mlx.store.importing import import_model
    from convergio_mlx.store.inventory import (
        DiskUsage,
        InstalledModel,
        disk_usage,
        find,
        installed,
        partial_bytes,
    )
    from convergio_mlx.store.pinning import Pin, pin
    from convergio_mlx.store.progress import OnProgress, Progress
    from convergio_mlx.store.receipt import Receipt, ReceiptFile
    from convergio_mlx.store.repairing import repair
    from convergio_mlx.store.verification import FileCheck, Verification, verify

_HOMES = {
    "DiskUsage": "inventory",
    "FileCheck": "verification",
    "InstalledModel": "inventory",
    "OnProgress": "progress",
    "Pin": "pinning",
    "Progress": "progress",
    "Receipt": "receipt",
    "ReceiptFile": "receipt",
    "Verification": "verification",
    "delete": "deletion",
    "disk_usage": "inventory",
    "download": "downloading",
    "find": "inventory",
    "import_model": "importing",
    "installed": "inventory",
    "partial_bytes": "inventory",
    "pin": "pinning",
    "repair": "repairing",
    "verify": "verification",
}

__all__ = [
    "DiskUsage",
    "FileCheck",
    "InstalledModel",
    "OnProgress",
    "Pin",
    "Progress",
    "Receipt",
    "ReceiptFile",
    "Verification",
    "delete",
    "disk_usage",
    "download",
    "find",
    "import_model",
    "installed",
    "partial_bytes",
    "pin",
    "repair",
    "verify",
]

__getattr__, __dir__ = lazy_names(globals(), _HOMES)
