"""Which of a repository's files a model needs, and which names are safe."""

from __future__ import annotations

import re
from collections.abc import Iterable

from convergio_mlx.errors import ModelCorruptError
from convergio_mlx.registry.checks import is_file_name

INDEX = "model.safetensors.index.json"
REQUIRED = ("config.json", "tokenizer.json")
_TEXT = frozenset(
    {
        *REQUIRED,
        INDEX,
        "added_tokens.json",
        "chat_template.jinja",
        "chat_template.json",
        "generation_config.json",
        "special_tokens_map.json",
        "tokenizer_config.json",
    }
)
_WEIGHTS = re.compile(r"(model|weights).*\.safetensors", re.DOTALL)
PATTERNS = [*sorted(_TEXT), "model*.safetensors", "weights*.safetensors"]
"""The same for those who take patterns."""
LARGEST_TEXT = 256 << 20
"""Bytes that a file other than weights may have."""


def is_weights(name: str) -> bool:
    """Whether a file of a repository holds weights that the engine reads."""
    return "/" not in name and _WEIGHTS.fullmatch(name) is not None


def is_wanted(name: str) -> bool:
    """Whether the engine reads a file of a repository. Nothing else is downloaded: no code, no
    pickles, nothing in folders."""
    return name in _TEXT or is_weights(name)


def chosen(names: Iterable[str], source: str) -> list[str]:
    """The wanted ones among a repository's or folder's names, in order.

    Raises:
        ModelCorruptError: a wanted name is not safe, two are one on some file systems, or what
            every model has is missing.
    """
    wanted = [name for name in names if is_wanted(name)]
    if unsafe := [name for name in wanted if not is_file_name(name)]:
        raise ModelCorruptError(
            f"[store] {source} names a file {ascii(unsafe[0])[:100]}, which is not safe on every "
            "disk and terminal; take another repository."
        )
    if "model.safetensors" in wanted and INDEX not in wanted:  # what the engine reads alone
        wanted = [name for name in wanted if not is_weights(name) or name == "model.safetensors"]
    folded: dict[str, str] = {}
    for name in wanted:
        twin = folded.get(name.casefold())
        folded[name.casefold()] = name
        if twin is not None:
            raise ModelCorruptError(
                f"[store] {source} names both {twin!r} and {name!r}, which are one file on some "
                "disks; take another repository."
            )
    missing = [name for name in REQUIRED if name not in wanted]
    if not any(is_weights(name) for name in wanted):
        missing.append("model.safetensors")
    if missing:
        raise ModelCorruptError(
            f"[store] {source} has no {missing[0]}; take a repository or folder with config.json, "
            "tokenizer.json and safetensors files."
        )
    return sorted(wanted)
