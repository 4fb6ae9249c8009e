"""The models that can be downloaded: models.json, and what a user or a remote file adds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convergio_mlx.lazy import lazy_names

if TYPE_CHECKING:
    from convergio_mlx.registry.entry import HubEntry, Package, RegistryEntry
    from convergio_mlx.registry.load import Registry, load_registry
    from convergio_mlx.registry.remote import refresh

_HOMES = {
    "HubEntry": "entry",
    "Package": "entry",
    "Registry": "load",
    "RegistryEntry": "entry",
    "load_registry": "load",
    "refresh": "remote",
}

__all__ = ["HubEntry", "Package", "Registry", "RegistryEntry", "load_registry", "refresh"]
__getattr__, __dir__ = lazy_names(globals(), _HOMES)
