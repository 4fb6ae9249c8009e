"""`convergio-mlx models info`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from convergio_mlx.cli.commands import add_command, add_json, finish, wants_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convergio_mlx.cli.commands import Commands
    from convergio_mlx.cli.output import Stream
    from convergio_mlx.registry import RegistryEntry
    from convergio_mlx.sizing.footprint import Footprint
    from convergio_mlx.store import InstalledModel


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "info",
        "tell what is known of a model",
        "Tell what is known of a model. Of hf:OWNER/NAME, a repository of the hub that is not "
        "installed, config.json is downloaded and checked: whether this program runs it, and "
        "whether it fits.",
        usage="[OPTIONS] MODEL",
    )
    parser.add_argument("model", metavar="MODEL", help="its id, its folder, or hf:OWNER/NAME")
    add_json(parser, "it")
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    from convergio_mlx import store
    from convergio_mlx.cli.models.embedded import is_embedded
    from convergio_mlx.cli.models.folder_info import (
        folder_json,
        folder_lines,
        format_lines,
        formats_json,
        given_folder,
    )
    from convergio_mlx.cli.models.shown import (
        installed_json,
        is_of_entry,
        known_models,
        of_disk,
        said_of,
        show,
        trust_json,
        write_json,
    )
    from convergio_mlx.cli.output import standard_error, standard_output
    from convergio_mlx.registry import HubEntry
    from convergio_mlx.store.trusted import known_entry

    if is_embedded(given.model):
        _show_embedded(standard_output(), json=wants_json(given))
        return
    err, out = standard_error(), standard_output()
    registry = known_models(err)
    is_known = registry.get(given.model) is not None or _is_installed(given.model)
    folder = given_folder(given.model, is_known=is_known)
    if folder is not None:
        if wants_json(given):
            write_json(out, folder_json(folder))
        else:
            show(out, folder_lines(folder))
        return
    here, entry = store.find(given.model), known_entry(given.model)
    if entry is None and here is None:
        registry.require(given.model)
    trust = store.trust(given.model) if entry else None
    if isinstance(entry, HubEntry):
        from convergio_mlx.cli.models.hub_info import show_repository

        show_repository(entry, here, trust, out, err, json=wants_json(given))
        return
    if wants_json(given):
        write_json(
            out,
            {
                **(entry.as_json() if entry else {"id": given.model}),
                "trust": trust_json(trust),
                "installed": installed_json(here) if here else None,
                "formats": formats_json(here.folder) if here else None,
            },
        )
        return
    if entry and here and not is_of_entry(entry, here):
        lines = [*_of_other(entry, here), *of_disk(here)]
    else:
        lines = [*(_of_entry(entry) if entry else ()), *(of_disk(here) if here else ())]
        lines += [("trust", said_of(trust))] if trust else []
    lines += format_lines(here.folder) if here else []
    show(out, lines)


def _is_installed(model: str) -> bool:
    from convergio_mlx import store
    from convergio_mlx.errors import ModelNotFoundError

    try:
        return store.find(model) is not None
    except ModelNotFoundError:  # it is no id
        return False


def _show_embedded(out: Stream, *, json: bool) -> None:
    from convergio_mlx.cli.models.embedded import ABOUT, embedded_json, size_bytes
    from convergio_mlx.cli.models.folder_info import format_lines
    from convergio_mlx.cli.models.shown import context_of, show, write_json
    from convergio_mlx.sizing.fit import size
    from convergio_mlx.store.locate import GUIDE_ID, guide_folder

    if json:
        write_json(out, embedded_json())
        return
    lines = [
        ("id", GUIDE_ID),
        ("use", f"{ABOUT}; it comes inside the package"),
        ("answers", "questions about this program and its models; wrong about one time in six"),
        ("context", f"{context_of(guide_folder()) or '?'} tokens"),
        ("installed", f"{size(size_bytes())} in {guide_folder()}"),
        ("instead", "`convergio-mlx models recommend` names models for real work"),
        *format_lines(guide_folder()),
    ]
    show(out, lines)


def _of_other(entry: RegistryEntry, here: InstalledModel) -> Iterator[tuple[str, str]]:
    """A model under the id of an entry that it did not come from."""
    from convergio_mlx.cli.models.shown import context_of

    yield "id", entry.id
    yield (
        "registry",
        f"the id belongs to {entry.source}; what is installed was imported, and may be another "
        "model",
    )
    if context := context_of(here.folder):
        yield "context", f"{context} tokens"


def _per_token(known: Footprint | None) -> str:
    """What of a mixture of experts' weights a token reads; empty for other models."""
    from convergio_mlx.sizing.fit import size

    if known is None or not known.geometry.experts:
        return ""
    sizes = known.geometry
    return (
        f"about {size(known.active_weights)} of {size(known.weights)} of weights is read, "
        f"{sizes.experts_per_token} of {sizes.experts} experts; all of them have to fit into memory"
    )


def _of_entry(entry: RegistryEntry) -> Iterator[tuple[str, str]]:
    from convergio_mlx.sizing.fit import size
    from convergio_mlx.sizing.footprint import entry_footprint

    yield "id", entry.id
    yield "name", entry.display_name
    if entry.package:
        yield "package", f"{entry.package}, {entry.package.file} in its wheel"
    else:
        at = f" at {entry.revision}" if entry.revision else ""
        yield "repository", f"{entry.repository}{at}"
    if entry.use_case:
        yield "use", entry.use_case
    if entry.parameters:
        active = entry.active_parameters
        read = f", of which a token reads {_count(active)}" if active else ""
        yield "parameters", _count(entry.parameters) + read
    if entry.download_bytes:
        yield "download", f"about {size(entry.download_bytes)}"
    if entry.memory_gb:
        yield "memory", f"{entry.memory_gb:g} GB"
    if entry.context_window:
        yield "context", f"{entry.context_window} tokens"
    if per_token := _per_token(entry_footprint(entry)):
        yield "per token", per_token
    yield "tools", "yes" if entry.tools else "no"
    yield "reasoning", "yes" if entry.reasoning else "no"
    if entry.languages:
        yield "languages", " ".join(entry.languages)
    if entry.licence:
        yield "licence", entry.licence
    if entry.release_date:
        yield "released", entry.release_date
    if entry.deprecated:
        yield "deprecated", f"use {entry.replaced_by}" if entry.replaced_by else "yes"


def _count(parameters: int) -> str:
    if parameters < 1e9:
        return f"{parameters / 1e6:.0f} million"
    return f"{parameters / 1e9:.1f} billion"
