"""The bytes of a registry's file to its entries, not looked at yet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from convergio_mlx.platform.files import read_file

SCHEMA = 1
LARGEST = 8 << 20
"""Bytes of a file that can be a registry."""


def read(path: Path) -> list[Any]:
    """The entries of a registry's file, not looked at yet.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no registry; why, as the end of a sentence.
    """
    return parse(read_file(path, LARGEST))


def parse(data: bytes) -> list[Any]:
    """As `read`, of a file's bytes."""
    if len(data) > LARGEST:
        raise ValueError(f"is larger than {LARGEST >> 20} MiB")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON ({ascii(str(error))[1:-1][:100]})") from error
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")
    if value.get("schema") != SCHEMA:
        raise ValueError(
            f"has schema {ascii(value.get('schema'))[:20]}, and this version reads schema {SCHEMA}"
        )
    models = value.get("models")
    if not isinstance(models, list):
        raise ValueError("has no list 'models'")
    if unknown := set(value) - {"$schema", "schema", "models"}:
        raise ValueError(f"has the unknown field {ascii(min(unknown))[:60]}")
    return models
