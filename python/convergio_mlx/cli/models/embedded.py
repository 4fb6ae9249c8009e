"""The model that comes inside the package: a demonstration, which is not downloaded, verified or
deleted as other models are."""

from __future__ import annotations

from typing import Any

from convergio_mlx.cli.models.shown import context_of
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.store.locate import GUIDE_ID, guide_folder

ABOUT = "demonstration"
_RESTORED = "`pip install --force-reinstall --no-deps convergio-mlx` restores it"


def is_embedded(model: str) -> bool:
    """Whether this is its id."""
    return model.removeprefix("mlx/") == GUIDE_ID


def refuse_embedded(model: str, done: str) -> None:
    """Refuses to do with it what is done with downloaded models.

    Args:
        model: an id.
        done: what was asked for: downloaded, verified, repaired or deleted.

    Raises:
        InvalidRequestError: it is the embedded model's id.
    """
    if not is_embedded(model):
        return
    why = "needs no download" if done == "downloaded" else f"cannot be {done} by itself"
    remedy = f"`convergio-mlx chat -m {GUIDE_ID}` uses it"
    if done in ("verified", "repaired"):
        remedy = _RESTORED
    raise InvalidRequestError(
        f"[models] {GUIDE_ID!r} comes inside the package and {why}; {remedy}."
    )


def size_bytes() -> int:
    """Bytes of its files."""
    return sum(path.stat().st_size for path in guide_folder().iterdir() if path.is_file())


def embedded_json() -> dict[str, Any]:
    """The model for programs, with the fields that other models of the list have too."""
    return {
        "id": GUIDE_ID,
        "display_name": "Convergio Guide",
        "use_case": ABOUT,
        "context_window": context_of(guide_folder()),
        "tools": True,
        "embedded": True,
        "installed": {"id": GUIDE_ID, "folder": str(guide_folder()), "size_bytes": size_bytes()},
        "partial_bytes": 0,
    }
