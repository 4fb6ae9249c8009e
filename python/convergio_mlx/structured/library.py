"""Where llguidance's library lies, which the native module calls through its C interface."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from convergio_mlx.errors import UnavailableError

_REMEDY = "pip install 'llguidance>=1.9,<1.10'"


@cache
def library() -> str:
    """The path of the library that the package llguidance installs; nothing is imported.

    Raises:
        UnavailableError: it is not installed, or has no library.
    """
    try:
        spec = find_spec("llguidance")
    except (ImportError, ValueError):  # an import hook, or a module put in its place
        spec = None
    folders = [] if spec is None else spec.submodule_search_locations or []
    if not folders:
        _refuse("llguidance is not installed, which answers held to a form or with tools need")
    found = [file for folder in folders for file in Path(folder).glob("_lib*") if _loads(file)]
    if not found:
        _refuse(f"llguidance in {folders[0]} has no library")
    return str(found[0])


def _loads(file: Path) -> bool:
    return file.suffix in (".so", ".dylib")


def _refuse(what: str) -> NoReturn:
    raise UnavailableError(f"[structured] {what}; run `{_REMEDY}`.", hint=_REMEDY)
