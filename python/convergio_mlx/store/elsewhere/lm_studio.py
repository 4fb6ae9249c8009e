"""LM Studio's models: publisher/name folders of GGUF or safetensors files."""

from __future__ import annotations

import json
from pathlib import Path

from convergio_mlx.platform.files import read_file
from convergio_mlx.store.elsewhere.folders import models_in
from convergio_mlx.store.elsewhere.found import Elsewhere, distinct, is_folder, user_home

_LARGEST_SETTINGS = 4 << 20


def lm_studio_models() -> Elsewhere:
    """What LM Studio keeps in each of its folders."""
    found = Elsewhere("lmstudio")
    found.folders = distinct(_folders(found))
    for top in found.folders:
        for publisher in found.names(top):
            if not is_folder(top / publisher):
                continue
            models_in(found, top / publisher, publisher)
            for name in found.names(top / publisher):
                folder = top / publisher / name
                if is_folder(folder):
                    models_in(found, folder, f"{publisher}/{name}")
    return found


def _folders(found: Elsewhere) -> list[Path]:
    """Where models may lie: the folder that its settings name, and the defaults of its versions."""
    home = user_home()
    if home is None:
        return []
    homes = [home / ".lmstudio", home / ".cache" / "lm-studio"]
    pointer = home / ".lmstudio-home-pointer"
    try:
        homes.insert(0, Path(read_file(pointer, 1 << 16).decode().strip()))
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        found.problems.append(f"{str(pointer)!r} cannot be read ({error})")
    named = [folder for one in homes if (folder := _set_folder(one / "settings.json", found))]
    return [*named, *(one / "models" for one in homes)]


def _set_folder(settings: Path, found: Elsewhere) -> Path | None:
    """The folder of models that a person chose."""
    try:
        value = json.loads(read_file(settings, _LARGEST_SETTINGS))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        found.problems.append(f"{str(settings)!r} cannot be read ({error})")
        return None
    folder = value.get("downloadsFolder") if isinstance(value, dict) else None
    return Path(folder) if isinstance(folder, str) and folder else None
