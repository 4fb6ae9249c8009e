"""What each field of a registry's entry may hold. models.schema.json says the same for editors,
and a test holds the two together."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

Check = Callable[[Any], bool]

PURPOSES = ("general", "code", "reasoning")

REQUIRED_SIZES = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "vocab_size",
)
"""The fields of config.json without which no model's memory is known."""
OPTIONAL_SIZES = ("num_key_value_heads", "head_dim", "sliding_window")
"""Whole numbers too, where they are there; what else a family's config.json has may be anything."""

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_PACKAGE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_VERSION = re.compile(r"[0-9][A-Za-z0-9.!+_-]{0,63}")
_MEMBER = re.compile(
    r"([A-Za-z0-9_][A-Za-z0-9._-]{0,99}/){1,8}[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\.gguf"
)
_REVISION = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_CONFIG_FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MODEL_TYPE = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")
_LARGEST = 1 << 53
"""Whole numbers up to here mean the same to every reader of JSON."""


def plain_id(model: str) -> str:
    """An id without the `mlx/` that hosts put before it."""
    return model.removeprefix("mlx/")


def is_id(value: object) -> bool:
    """A model's id is also the name of its folder: small letters, digits, dots, dashes and
    underscores, so that it is safe on every file system, a letter or digit at either end."""
    return _matches(_ID, value) and not value.endswith((".", "-", "_"))  # type: ignore[attr-defined]


def is_repository(value: object) -> bool:
    """A repository of the Hugging Face hub: `owner/name`."""
    return _matches(_REPOSITORY, value) and not any(
        part in value  # type: ignore[operator]
        for part in ("..", "--")
    )


def is_file_name(value: object) -> bool:
    """A file of a model's folder: ASCII, no path, not hidden."""
    return _matches(_FILE, value)


def is_package(value: object) -> bool:
    """A GGUF file in a wheel of a package index: the wheel's name, version and SHA-256, and the
    path of the file in it."""
    return (
        isinstance(value, Mapping)
        and set(value) == set(_PACKAGE_FIELDS)
        and all(check(value[name]) for name, check in _PACKAGE_FIELDS.items())
    )


def is_revision(value: object) -> bool:
    """A commit of the hub, in full."""
    return _matches(_REVISION, value)


def is_sha256(value: object) -> bool:
    """A SHA-256 in hexadecimal digits."""
    return _matches(_SHA256, value)


def is_model_type(value: object) -> bool:
    """A model_type of config.json."""
    return _matches(_MODEL_TYPE, value)


def is_text(value: object) -> bool:
    """A short line that a terminal shows as it is: no control or formatting characters."""
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable()


def is_count(value: object) -> bool:
    """A whole number above 0."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST


def is_amount(value: object) -> bool:
    """A number above 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _LARGEST


def is_flag(value: object) -> bool:
    """true or false."""
    return isinstance(value, bool)


def is_purpose(value: object) -> bool:
    """One of `PURPOSES`."""
    return isinstance(value, str) and value in PURPOSES


def is_date(value: object) -> bool:
    """A day as 2025-01-20."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def is_languages(value: object) -> bool:
    """A list of ISO 639 codes, each once."""
    return (
        isinstance(value, list)
        and 0 < len(value) <= 200
        and all(_matches(_LANGUAGE, one) for one in value)
        and len(set(value)) == len(value)
    )


def is_config(value: object) -> bool:
    """Fields of a config.json, those of `REQUIRED_SIZES` among them."""
    return (
        isinstance(value, Mapping)
        and len(value) <= 100
        and all(_matches(_CONFIG_FIELD, name) for name in value)
        and all(is_count(value.get(name)) for name in REQUIRED_SIZES)
        and all(is_count(value[name]) for name in OPTIONAL_SIZES if name in value)
    )


def is_hashes(value: object) -> bool:
    """The SHA-256 of each file, by its name."""
    return (
        isinstance(value, Mapping)
        and 0 < len(value) <= 1000
        and all(is_file_name(name) and is_sha256(one) for name, one in value.items())
    )


_PACKAGE_FIELDS: Mapping[str, Check] = {
    "name": lambda value: _matches(_PACKAGE, value),
    "version": lambda value: _matches(_VERSION, value),
    "file": lambda value: _matches(_MEMBER, value),
    "sha256": is_sha256,
}


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
