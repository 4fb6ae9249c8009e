"""Where models lie on this machine."""

from __future__ import annotations

from pathlib import Path

from convergio_mlx.errors import ModelNotFoundError, ModelNotInstalledError
from convergio_mlx.platform.home import models_folder
from convergio_mlx.registry.hub_name import PREFIX
from convergio_mlx.store.layout import checked_id

GUIDE_ID = "convergio-guide"
"""The model that comes inside the package."""


def guide_folder() -> Path:
    """The folder of the embedded model."""
    return Path(__file__).parents[1] / "guide"


def locate(model: str | Path) -> Path:
    """The folder of a model.

    Args:
        model: `convergio-guide`, the id of a downloaded model (a leading `mlx/` is accepted), its
            repository on the hub as `hf:owner/name`, or a folder that has a config.json.

    Raises:
        ModelNotFoundError: nothing of that name is here; a ModelNotInstalledError where the
            registry has it.
    """
    if not isinstance(model, str | Path) or not str(model).strip():
        raise ModelNotFoundError(
            f"[models] {model!r} names no model; give {GUIDE_ID!r}, the id of a downloaded model, "
            "or a model's folder."
        )
    shown = repr(str(model)[:200])
    try:
        folder = _downloaded(model) or Path(model).expanduser()
        if (folder / "config.json").is_file():
            return folder
        is_folder = folder.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ModelNotFoundError(
            f"[models] {shown} cannot be looked at ({why}); give another folder."
        ) from error
    if is_folder:
        raise ModelNotFoundError(
            f"[models] the folder {shown} has no config.json; give the folder that holds "
            "config.json, tokenizer.json and the safetensors files."
        )
    if isinstance(model, str):
        _check_registry(model)
    raise ModelNotFoundError(
        f"[models] there is no model {shown}; give {GUIDE_ID!r}, the id of a model in "
        f"{str(models_folder())!r}, or a model's folder."
    )


def _check_registry(model: str) -> None:
    """Refuses with the command to download it a model that the registry has."""
    from convergio_mlx.registry import load_registry

    entry = load_registry().get(model)
    if entry is not None:
        command = f"convergio-mlx models download {entry.reference}"
        amount = entry.download_bytes or 0
        known = f"{amount / 1e9:.1f} GB" if amount >= 999.5e6 else f"{amount / 1e6:.0f} MB"
        size = f" ({known})" if amount else ""
        raise ModelNotInstalledError(
            f"[models] {entry.reference!r} is not downloaded yet; `{command}` does that{size}.",
            hint=command,
        )


def _downloaded(model: str | Path) -> Path | None:
    """The folder of the model that comes inside the package, or of a downloaded one."""
    name = str(model).removeprefix("mlx/")
    if isinstance(model, str) and model.startswith(PREFIX):
        name = checked_id(model)
    if isinstance(model, Path) or set(name) & set("/\\\0") or name in {"", ".", ".."}:
        return None
    folder = guide_folder() if name == GUIDE_ID else models_folder() / name
    return folder if name == GUIDE_ID or (folder / "config.json").is_file() else None
