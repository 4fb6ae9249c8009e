"""Ollama's models: manifests that name blobs by their SHA-256."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from convergio_mlx.platform.files import read_file
from convergio_mlx.store.elsewhere.found import (
    Elsewhere,
    FoundModel,
    distinct,
    expanded,
    file_size,
    is_folder,
    user_home,
)

_MANIFESTS = ("manifests-v2", "manifests")
"""Folders of manifests, HOST/NAMESPACE/NAME/TAG each; a name in the first hides the other's."""
_SERVICE = Path("/usr/share/ollama/.ollama/models")
"""Where the service of Linux keeps them."""
_HOST = "registry.ollama.ai"
_NAMESPACE = "library"
_LARGEST_MANIFEST = 4 << 20
_DIGEST = re.compile(r"sha256[:-]([0-9a-fA-F]{64})")
_LIST = "application/vnd.ollama.manifest.list.v2+json"
_LAYER = "application/vnd.ollama.image."
_DEPTH = 4


class _BrokenError(Exception):
    """What is wrong with a manifest, as a clause."""


def ollama_models() -> Elsewhere:
    """What Ollama keeps: where OLLAMA_MODELS says, in the user's home, and the service's."""
    found = Elsewhere("ollama")
    found.folders = distinct(_folders())
    for top in found.folders:
        here: set[str] = set()
        for kind in _MANIFESTS:
            if not is_folder(top / kind):
                continue
            for parts in _manifests(top / kind, (), found, frozenset()):
                name = _name(parts)
                if name not in here:
                    here.add(name)
                    _look_at(top, top.joinpath(kind, *parts), name, found)
    return found


def _folders() -> list[Path | None]:
    named = os.environ.get("OLLAMA_MODELS")
    home = user_home()
    return [
        expanded(named) if named else None,
        home / ".ollama" / "models" if home else None,
        _SERVICE,
    ]


def _manifests(
    top: Path, parts: tuple[str, ...], found: Elsewhere, trail: frozenset[str]
) -> Iterator[tuple[str, ...]]:
    """The paths of all manifests below a folder.

    Args:
        top: the folder of manifests.
        parts: the names that lead from there to this one.
        found: where problems go.
        trail: the folders on the way here, by their real paths: a link may lead back to one.
    """
    folder = top.joinpath(*parts)
    real = os.path.realpath(folder)
    if real in trail:
        found.problems.append(f"{str(folder)!r} is a link that leads back to itself")
        return
    for name in found.names(folder):
        below = is_folder(folder / name)
        if len(parts) + 1 == _DEPTH and not below:
            yield (*parts, name)
        elif len(parts) + 1 < _DEPTH and below:
            yield from _manifests(top, (*parts, name), found, trail | {real})


def _name(parts: tuple[str, ...]) -> str:
    """As `ollama list` shows it."""
    host, namespace, model, tag = parts
    if host != _HOST:
        return f"{host}/{namespace}/{model}:{tag}"
    return f"{model}:{tag}" if namespace == _NAMESPACE else f"{namespace}/{model}:{tag}"


def _look_at(top: Path, path: Path, name: str, found: Elsewhere) -> None:
    try:
        found.add(_model(top, _chosen(top, _read(path)), name))
    except _BrokenError as broken:
        found.problems.append(f"{name} ({str(path)!r}): {broken}")


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(read_file(path, _LARGEST_MANIFEST))
    except OSError as error:
        raise _BrokenError(f"its manifest cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise _BrokenError("its manifest is no JSON") from error
    if isinstance(value, dict):
        return value
    raise _BrokenError("its manifest is no JSON object")


def _chosen(top: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """Of a list of manifests, for one kind of weights each, the one of a GGUF file."""
    if manifest.get("mediaType") != _LIST:
        return manifest
    listed = manifest.get("manifests")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise _BrokenError("its manifest has a list of manifests that is none")
    if not listed:
        raise _BrokenError("its manifest lists no manifest")
    one: dict[str, Any] = next((one for one in listed if one.get("format") == "gguf"), listed[0])
    if "layers" in one or "digest" not in one:
        return one
    return _read(_blob(top, one["digest"])[0])


def _model(top: Path, manifest: dict[str, Any], name: str) -> FoundModel:
    layers = manifest.get("layers")
    if layers is None and "config" in manifest:
        layers = []  # of a model that runs elsewhere
    if not isinstance(layers, list) or not all(isinstance(one, dict) for one in layers):
        raise _BrokenError("its manifest has no list of layers")
    kinds = [str(one.get("mediaType", "")).removeprefix(_LAYER) for one in layers]
    weights = [one for one, kind in zip(layers, kinds, strict=True) if kind == "model"]
    if "tensor" in kinds:
        why = "its weights are tensors of Ollama's own engine and not a GGUF file"
        size = sum(_size(one) or 0 for one in layers)
        return FoundModel("ollama", name, "other", top, size, (why,))
    if not weights:
        why = "it has no weights on this machine"
        return FoundModel("ollama", name, "other", top, 0, (why,))
    path, sha256 = _blob(top, weights[0].get("digest"))
    size_of_file, said = file_size(path), _size(weights[0])
    refusals = []
    if len(weights) > 1:
        refusals.append(f"it has {len(weights)} files of weights")
    if "adapter" in kinds:
        refusals.append("it has an adapter beside its weights")
    if size_of_file is None:
        refusals.append(f"its file {path.name} is missing")
    elif said is not None and said != size_of_file:
        refusals.append(f"its file {path.name} has {size_of_file} bytes and should have {said}")
    return FoundModel("ollama", name, "gguf", path, size_of_file or 0, tuple(refusals), sha256)


def _size(layer: dict[str, Any]) -> int | None:
    size = layer.get("size")
    return size if type(size) is int and size >= 0 else None


def _blob(top: Path, digest: object) -> tuple[Path, str]:
    """A blob's path and SHA-256."""
    match = _DIGEST.fullmatch(digest) if isinstance(digest, str) else None
    if match is None:
        raise _BrokenError(f"its manifest has the digest {ascii(digest)[:80]}, which is none")
    sha256 = match[1].lower()
    path = top / "blobs" / f"sha256-{sha256}"
    older = top / "blobs" / f"sha256:{sha256}"
    return (older if not path.exists() and older.exists() else path), sha256
