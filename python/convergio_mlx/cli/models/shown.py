"""What several of these commands show: warnings of the registry, and an installed model."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from convergio_mlx.cli.output import YELLOW, Stream
from convergio_mlx.cli.waiting import Waiting
from convergio_mlx.sizing.fit import size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from convergio_mlx.registry import Registry, RegistryEntry
    from convergio_mlx.store import InstalledModel, Trust

_HASH = re.compile(r" \(sha256 [0-9a-f]{64}\)")
"""What `models info` shows of the file that a model was made from, and a list has no room for."""


def known_models(err: Stream) -> Registry:
    """The registry, the remote one fetched where it is due; what is wrong with it is told."""
    from convergio_mlx.registry import load_registry, refresh

    with Waiting(err, "asking for the newest registry"):
        problem = refresh()
    registry = load_registry()
    for one in [*([problem] if problem else []), *registry.problems]:
        err.line(one, lead="warning: ", style=YELLOW)
    return registry


def is_of_entry(entry: RegistryEntry | None, found: InstalledModel | None) -> bool:
    """Whether an installed model came from the source of the registry's entry of its id. A folder
    that was imported under that id may hold any model."""
    receipt = found.receipt if found else None
    return entry is not None and receipt is not None and receipt.is_of(entry)


def context_of(folder: Path) -> int | None:
    """Tokens of a model's context window, by its own config.json; None where nobody can tell."""
    from convergio_mlx.errors import ConvergioError
    from convergio_mlx.sizing.footprint import folder_footprint

    try:
        known = folder_footprint(folder)
    except ConvergioError:
        return None
    return None if known is None else known.context_window


def origin(found: InstalledModel) -> str:
    """Where an installed model came from, in a few words."""
    receipt = found.receipt
    if receipt is None:
        return "damaged receipt" if found.has_receipt else "put there by hand"
    return f"from {_HASH.sub('', receipt.origin)}" if receipt.origin else "imported from a folder"


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
        "made_from": receipt.made_from if receipt else None,
        "package": asdict(receipt.package) if receipt and receipt.package else None,
        "installed_at": receipt.installed_at if receipt else None,
        "last_used": found.last_used,
    }


def installed_line(found: InstalledModel, asked: str = "") -> str:
    """An installed model for a person, who may have asked for it by another name."""
    what = f"{found.model} is installed"
    if asked.startswith("hf:"):
        what = f"{asked} is installed as {found.model}"
    return f"{what}: {size(found.size_bytes)} in {found.folder}"


def trust_json(trust: Trust | None) -> dict[str, Any] | None:
    """What a model is held to, for programs."""
    if trust is None:
        return None
    return {"kind": trust.kind, "revision": trust.revision, "since": trust.since}


def show(out: Stream, lines: Sequence[tuple[str, str]]) -> None:
    """Names and what is known of them, a line each."""
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        out.hanging(f"{name.ljust(width)}  ", value)


def said_of(trust: Trust) -> str:
    """What a model is held to, for a person."""
    if trust.kind == "pinned" and trust.revision is None:
        return "pinned: the registry gives the package's version and the SHA-256 of its wheel"
    if trust.kind == "pinned":
        return f"pinned: the registry gives commit {trust.revision} and the hashes of its files"
    if trust.kind == "first use":
        return (
            f"on first use: later downloads are held to commit {trust.revision} and the hashes "
            f"that came with it, {trust.since}"
        )
    return "none yet: the first download records commit and hashes, and later ones are held to them"


def of_disk(here: InstalledModel) -> Iterator[tuple[str, str]]:
    """What is known of an installed model's folder."""
    yield "installed", f"{size(here.size_bytes)} in {here.folder}"
    if here.receipt is None:
        yield "receipt", "damaged" if here.has_receipt else "none; it was put there by hand"
    else:
        source = here.receipt.origin or "a folder"
        at = f" at {here.receipt.revision}" if here.receipt.revision else ""
        yield "from", f"{source}{at}, {here.receipt.installed_at}"
