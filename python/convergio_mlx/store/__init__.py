"""The models on this machine: what is under `~/.convergio/models/mlx` is what was published.

    from convergio_mlx import store

    store.download("llama-3.2-1b", on_progress=lambda progress: print(progress.done_bytes))

Every function takes a model's id, a leading `mlx/` accepted, or its repository on the hub as
`hf:owner/name`, and may be called by several threads
and processes at once. docs/models.md tells what lies where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from convergio_mlx.lazy import lazy_names

if TYPE_CHECKING:
    from convergio_mlx.store.deletion import delete
    from convergio_mlx.store.downloading import OnConfig, download
    from convergio_mlx.store.elsewhere.found import Elsewhere, FoundModel
    from convergio_mlx.store.elsewhere.taking import import_from, models_elsewhere
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
    from convergio_mlx.store.preview import Preview, preview
    from convergio_mlx.store.progress import OnProgress, Progress
    from convergio_mlx.store.quantizing import QuantizedModel, quantize
    from convergio_mlx.store.receipt import Receipt, ReceiptFile
    from convergio_mlx.store.repairing import repair
    from convergio_mlx.store.trusted import Trust, trust
    from convergio_mlx.store.verification import FileCheck, Verification, verify

_HOMES = {
    "DiskUsage": "inventory",
    "Elsewhere": "elsewhere.found",
    "FileCheck": "verification",
    "FoundModel": "elsewhere.found",
    "InstalledModel": "inventory",
    "OnConfig": "downloading",
    "OnProgress": "progress",
    "Pin": "pinning",
    "Preview": "preview",
    "Progress": "progress",
    "QuantizedModel": "quantizing",
    "Receipt": "receipt",
    "ReceiptFile": "receipt",
    "Trust": "trusted",
    "Verification": "verification",
    "delete": "deletion",
    "disk_usage": "inventory",
    "download": "downloading",
    "find": "inventory",
    "import_from": "elsewhere.taking",
    "import_model": "importing",
    "installed": "inventory",
    "models_elsewhere": "elsewhere.taking",
    "partial_bytes": "inventory",
    "pin": "pinning",
    "preview": "preview",
    "quantize": "quantizing",
    "repair": "repairing",
    "trust": "trusted",
    "verify": "verification",
}

__all__ = [
    "DiskUsage",
    "Elsewhere",
    "FileCheck",
    "FoundModel",
    "InstalledModel",
    "OnConfig",
    "OnProgress",
    "Pin",
    "Preview",
    "Progress",
    "QuantizedModel",
    "Receipt",
    "ReceiptFile",
    "Trust",
    "Verification",
    "delete",
    "disk_usage",
    "download",
    "find",
    "import_from",
    "import_model",
    "installed",
    "models_elsewhere",
    "partial_bytes",
    "pin",
    "preview",
    "quantize",
    "repair",
    "trust",
    "verify",
]

__getattr__, __dir__ = lazy_names(globals(), _HOMES)
