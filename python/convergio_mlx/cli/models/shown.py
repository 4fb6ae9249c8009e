"""What several of these commands show: warnings of the registry, and an installed model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from convergio_mlx.cli.output import YELLOW, Stream
from convergio_mlx.fit import size

if TYPE_CHECKING:
    from convergio_mlx.registry import Registry
    from convergio_mlx.store import InstalledModel


def known_models(err: Stream) -> Registry:
    """The registry, the remote one fetched where it is due; what is wrong with it is told."""
    from convergio_mlx.registry import load_registry, refresh

    problem = refresh()
    registry = load_registry()
    for one in [*([problem] if problem else []), *registry.problems]:
        err.line(one, lead="warning: ", style=YELLOW)
    return registry


def write_json(out: Stream, value: Any) -> None:
    """A value for programs, on a line of its own."""
    out.raw(json.dumps(value) + "\n")


def installed_json(found: InstalledModel) -> dict[str, Any]:
    """An installed model for programs."""
    receipt = found.receipt
    return {
        "id": found.model,
        "folder": str(found.folder),
        "size_bytes": found.size_bytes,
        "source": receipt.source if receipt else None,
        "repository": receipt.repository if receipt else None,
        "revision": receipt.revision if receipt else None,
        "installed_at": receipt.installed_at if receipt else None,
        "last_used": found.last_used,
    }


def installed_line(found: InstalledModel) -> str:
    """An installed model for a person."""
    return f"{found.model} is installed: {size(found.size_bytes)} in {found.folder}"
