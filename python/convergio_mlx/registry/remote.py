"""A registry from the network, kept for a day. Nothing needs it: without the variable
`CONVERGIO_REGISTRY_URL` there is none, and when it cannot be had the rest works as before."""

from __future__ import annotations

import ipaddress
import json
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from convergio_mlx.atomic import write_atomically
from convergio_mlx.home import home
from convergio_mlx.offline import is_offline

VARIABLE = "CONVERGIO_REGISTRY_URL"
KEPT_SECONDS = 24 * 3600
_TIMEOUT = 5.0
"""Seconds to wait for a server that nobody needs."""


def cache_file() -> Path:
    """Where the remote registry is kept."""
    return home() / "cache" / "registry.json"


def cached() -> tuple[list[Any], str | None]:
    """The entries of the kept file, and what is wrong with it; uses no network. Whatever its age:
    an old registry is better than none where there is no network."""
    url = os.environ.get(VARIABLE)
    kept = _read_cache()
    if not url or kept is None or kept.get("url") != url:
        return [], None
    from convergio_mlx.registry.load import parse

    try:
        return parse(str(kept.get("text")).encode()), None
    except ValueError as error:
        return [], f"[registry] the remote registry {url!a} is ignored: it {error}."


def refresh() -> str | None:
    """Fetches the remote registry where one is named, none younger than a day is kept, and the
    network is not forbidden. Returns what went wrong, a sentence; None when nothing did."""
    url = os.environ.get(VARIABLE)
    if not url or is_offline():
        return None
    kept = _read_cache() or {}
    age = time.time() - kept["at"] if isinstance(kept.get("at"), int | float) else None
    if kept.get("url") == url and age is not None and 0 <= age < KEPT_SECONDS:
        return None
    from convergio_mlx.registry.load import parse

    try:
        text = _fetch(url)
        parse(text.encode())
        record = {"url": url, "at": time.time(), "text": text}
        write_atomically(cache_file(), json.dumps(record).encode())
    except Exception as error:  # whatever a server or a proxy does, the registry goes on without
        why = ascii(str(error) or type(error).__name__)[1:-1][:200]
        return (
            f"[registry] the remote registry {url!a} cannot be had ({why}); "
            f"the models known before are used. Correct or unset {VARIABLE}."
        )
    return None


def _fetch(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
        raise ValueError("only https is taken")
    from huggingface_hub import get_session

    from convergio_mlx.registry.load import LARGEST

    until = time.monotonic() + 2 * _TIMEOUT
    data = b""
    with get_session().stream("GET", url, timeout=_TIMEOUT) as response:
        response.raise_for_status()
        for piece in response.iter_bytes():
            data += piece
            if len(data) > LARGEST or time.monotonic() > until:
                raise ValueError("it is too large or too slow")
    return data.decode()


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _read_cache() -> dict[str, Any] | None:
    try:
        value = json.loads(cache_file().read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
