"""A registry from the network, kept for a day. Nothing needs it: without the variable
`CONVERGIO_REGISTRY_URL` there is none, and when it cannot be had the rest works as before."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from convergio_mlx.platform.atomic import write_atomically
from convergio_mlx.platform.files import read_file
from convergio_mlx.platform.home import home
from convergio_mlx.platform.http import ask, split_credentials, without_credentials
from convergio_mlx.platform.offline import is_offline
from convergio_mlx.registry.parsing import LARGEST, parse

VARIABLE = "CONVERGIO_REGISTRY_URL"
KEPT_SECONDS = 24 * 3600
_SECONDS = 10.0
"""To wait for a server that nobody needs."""


def cache_file() -> Path:
    """Where the remote registry is kept."""
    return home() / "cache" / "registry.json"


def cached() -> tuple[list[Any], str | None]:
    """The entries of the kept file, and what is wrong with it; uses no network. Whatever its age:
    an old registry is better than none where there is no network."""
    url = os.environ.get(VARIABLE)
    kept = _read_cache()
    if not url or kept is None or kept.get("of") != _name_of(url):
        return [], None
    try:
        return parse(str(kept.get("text")).encode()), None
    except ValueError as error:
        return [], f"[registry] the remote registry {_shown(url)} is ignored: it {error}."


def refresh() -> str | None:
    """Fetches the remote registry where one is named, none younger than a day is kept, and the
    network is not forbidden. Returns what went wrong, a sentence; None when nothing did."""
    url = os.environ.get(VARIABLE)
    if not url or is_offline():
        return None
    kept = _read_cache() or {}
    at, now = kept.get("at"), time.time()
    is_young = isinstance(at, int | float) and now - KEPT_SECONDS < at <= now
    if kept.get("of") == _name_of(url) and is_young:
        return None
    try:
        text = _fetch(url)
        parse(text.encode())
        record = {"of": _name_of(url), "at": now, "text": text}
        write_atomically(cache_file(), json.dumps(record).encode())
    except Exception as error:  # whatever a server or a proxy does, the registry goes on without
        why = ascii(without_credentials(str(error)) or type(error).__name__)[1:-1][:200]
        return (
            f"[registry] the remote registry {_shown(url)} cannot be had ({why}); "
            f"the models known before are used. Correct or unset {VARIABLE}."
        )
    return None


def _fetch(url: str) -> str:
    plain, credentials = split_credentials(url)
    parts = urlsplit(plain)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
        raise ValueError("only https is taken")
    answer = ask(plain, credentials, largest=LARGEST, seconds=_SECONDS)
    if answer.status != 200:
        raise ValueError(f"it answers {answer.status}")
    return answer.body.decode()


def _name_of(url: str) -> str:
    """What tells one address from another on the disk, without what is secret in it."""
    return hashlib.sha256(url.encode("utf-8", "surrogateescape")).hexdigest()


def _shown(url: str) -> str:
    return ascii(without_credentials(url)[:200])


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _read_cache() -> dict[str, Any] | None:
    try:
        value = json.loads(read_file(cache_file(), 2 * LARGEST))
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
