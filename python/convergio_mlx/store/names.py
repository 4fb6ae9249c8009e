"""Which of a repository's files a model needs, and which names are safe."""

from __future__ import annotations

import re
from collections.abc import Iterable

from convergio_mlx.errors import ModelCorruptError, ModelNotFoundError
from convergio_mlx.platform.native import native
from convergio_mlx.registry.checks import is_file_name

INDEX = "model.safetensors.index.json"
CONFIG = "config.json"
REQUIRED = (CONFIG, "tokenizer.json")
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
PATTERNS = [*sorted(_TEXT), "*.safetensors"]
"""All that may be wanted, for those who take patterns."""
LARGEST_TEXT = 256 << 20
"""Bytes that a file other than weights may have."""
LARGEST_INDEX = 100 << 20
"""Bytes that the index of the weights may have."""
LARGEST_WEIGHTS = 1 << 50
"""Bytes that a file of weights may have."""


def is_text(name: str) -> bool:
    """Whether a file is one of the small ones that the engine reads."""
    return name in _TEXT


def may_be_read(name: str) -> bool:
    """Whether the engine reads a file of this name, whatever an index says."""
    return is_text(name) or ("/" not in name and _WEIGHTS.fullmatch(name) is not None)


def small_files(names: Iterable[str], source: str) -> list[str]:
    """The small files that a model needs among a repository's or folder's.

    Args:
        names: all there are.
        source: what errors call the repository or folder.

    Raises:
        ModelCorruptError: one of these that every model has is missing, or the name of a file that
            the engine might read is not safe.
    """
    there = {name for name in names if "/" not in name}
    _check_safe([name for name in there if may_be_read(name)], source)
    for name in REQUIRED:
        if name not in there:
            raise _missing(name, source)
    return sorted(name for name in there if is_text(name))


def weight_files(names: Iterable[str], index: bytes | None, source: str) -> list[str]:
    """The weights among a repository's or folder's files, as the engine chooses them. Nothing else
    is wanted: no code, no pickles, nothing in folders.

    Args:
        names: all there are.
        index: the bytes of the index of the weights, where there is one.
        source: what errors call the repository or folder.

    Raises:
        ModelCorruptError: there are none, some are missing, a name is not safe, or two are one on
            some file systems.
    """
    weights = _chosen({name for name in names if "/" not in name}, index, source)
    if not weights:
        raise _missing("model.safetensors", source)
    _check_safe(weights, source)
    _check_distinct(weights, source)
    return weights


def _missing(name: str, source: str) -> ModelCorruptError:
    return ModelCorruptError(
        f"[store] {source} has no {name}; take a repository or folder with config.json, "
        "tokenizer.json and safetensors files."
    )


def _chosen(there: set[str], index: bytes | None, source: str) -> list[str]:
    """The engine's own decision; none where there are none."""
    known = {name for name in there if _is_encodable(name)}
    try:
        return native().choose_weight_files(known, index, source)  # type: ignore[no-any-return]
    except ModelNotFoundError:
        return []
    except ModelCorruptError as error:
        why = ascii(str(error).removeprefix("[safetensors] ").rpartition("; ")[0])[1:-1]
        raise ModelCorruptError(
            f"[store] {source} is not whole: {why}; take another repository or folder."
        ) from error


def _check_safe(names: list[str], source: str) -> None:
    if unsafe := sorted(name for name in names if not is_file_name(name)):
        raise ModelCorruptError(
            f"[store] {source} names a file {ascii(unsafe[0])[:100]}, which is not safe on every "
            "disk and terminal; take another repository."
        )


def _check_distinct(names: list[str], source: str) -> None:
    folded: dict[str, str] = {}
    for name in names:
        twin = folded.setdefault(name.casefold(), name)
        if twin != name:
            raise ModelCorruptError(
                f"[store] {source} names both {twin!r} and {name!r}, which are one file on some "
                "disks; take another repository."
            )


def _is_encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
