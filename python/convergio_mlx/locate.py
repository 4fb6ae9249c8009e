"""Where models lie on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from convergio_mlx.errors import ModelNotFoundError

GUIDE_ID = "convergio-guide"
"""The model that comes inside the package."""


def home() -> Path:
    """The folder of this program's files: `CONVERGIO_HOME`, or `~/.convergio`."""
    given = os.environ.get("CONVERGIO_HOME")
    return Path(given).expanduser() if given else Path.home() / ".convergio"


def models_folder() -> Path:
    """The folder that has a folder for each downloaded model."""
    return home() / "models" / "mlx"


def guide_folder() -> Path:
    """The folder of the embedded model."""
    return Path(__file__).parent / "guide"


def locate(model: str | Path) -> Path:
    """The folder of a model.

    Args:
        model: `convergio-guide`, the id of a downloaded model (a leading `mlx/` is accepted), or a
            folder that has a config.json.

    Raises:
        ModelNotFoundError: nothing of that name is here.
    """
    if not isinstance(model, str | Path) or not str(model).strip():
        raise ModelNotFoundError(
            f"[models] {model!r} names no model; give {GUIDE_ID!r}, the id of a downloaded model, "
            "or a model's folder."
        )
    if isinstance(model, str):
        name = model.removeprefix("mlx/")
        if name == GUIDE_ID:
            return guide_folder()
        is_id = bool(name) and not set(name) & set("/\\\0") and name not in {".", ".."}
        if is_id and (models_folder() / name / "config.json").is_file():
            return models_folder() / name
    folder = Path(model)
    try:
        folder = folder.expanduser()
        if (folder / "config.json").is_file():
            return folder
        is_folder = folder.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelNotFoundError(
            f"[models] {str(model)!r} cannot be looked at ({error}); give another folder."
        ) from error
    if is_folder:
        raise ModelNotFoundError(
            f"[models] the folder {str(folder)!r} has no config.json; give the folder that holds "
            "config.json, tokenizer.json and the safetensors files."
        )
    raise ModelNotFoundError(
        f"[models] there is no model {str(model)!r}; give {GUIDE_ID!r}, the id of a model in "
        f"{str(models_folder())!r}, or a model's folder."
    )
