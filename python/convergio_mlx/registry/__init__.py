"""The models that can be downloaded: models.json, and what a user or a remote file adds to it."""

from convergio_mlx.registry.entry import HubEntry, Package, RegistryEntry
from convergio_mlx.registry.load import Registry, load_registry
from convergio_mlx.registry.remote import refresh

__all__ = ["HubEntry", "Package", "Registry", "RegistryEntry", "load_registry", "refresh"]
