"""What the MLX provider offers: the embedded model, the registry's, and what else lies here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from convergio_mlx.errors import ConvergioError
from convergio_mlx.platform.home import models_folder
from convergio_mlx.providers.interface import ModelConfig, ProviderType
from convergio_mlx.store.locate import GUIDE_ID, guide_folder

if TYPE_CHECKING:
    from convergio_mlx.registry import RegistryEntry

_UNKNOWN_WINDOW = 2048
"""Tokens, where neither registry nor the model's own files say."""


def list_models() -> list[ModelConfig]:
    """All of them, by id each once; a window is that of the model's own config.json where the
    model is here."""
    from convergio_mlx.registry import load_registry

    registry = load_registry()
    known = [_embedded(), *(_of_entry(entry) for entry in registry)]
    return [*known, *_others({config.id for config in known})]


def _embedded() -> ModelConfig:
    window = _window(guide_folder()) or _UNKNOWN_WINDOW
    return ModelConfig(
        id=GUIDE_ID,
        display_name="Convergio Guide (embedded)",
        provider=ProviderType.MLX,
        context_window=window,
        max_output=window,
        supports_tools=True,
    )


def _of_entry(entry: RegistryEntry) -> ModelConfig:
    folder = models_folder() / entry.id
    own = _window(folder)
    window = own or entry.context_window or _UNKNOWN_WINDOW
    return ModelConfig(
        id=entry.id,
        display_name=entry.display_name,
        provider=ProviderType.MLX,
        context_window=window,
        max_output=min(entry.max_output or window, window),
        supports_tools=entry.tools,
        supports_reasoning=entry.reasoning,
        release_date=entry.release_date,
        deprecated=entry.deprecated,
        installed=(folder / "config.json").is_file(),
    )


def _others(known: set[str]) -> Iterator[ModelConfig]:
    """Models in the models' folder that no registry has."""
    try:
        folders = sorted(models_folder().iterdir())
    except OSError:
        return
    for folder in folders:
        window = None if folder.name in known or folder.name.startswith(".") else _window(folder)
        if window is not None:
            yield ModelConfig(
                id=folder.name,
                display_name=folder.name,
                provider=ProviderType.MLX,
                context_window=window,
                max_output=window,
                supports_tools=_has_template(folder),
            )


def _window(folder: Path) -> int | None:
    """The window of a model's own config.json; None where there is none that the engine runs."""
    from convergio_mlx.sizing.footprint import folder_footprint

    try:
        footprint = folder_footprint(folder)
    except ConvergioError:
        return None
    return None if footprint is None else int(footprint.context_window)


def _has_template(folder: Path) -> bool:
    """Whether it has a chat template, and so can be given tools."""
    from convergio_mlx.text import tokenizer_config
    from convergio_mlx.text.model_folder import ModelFolder

    try:
        config = tokenizer_config.load_config(ModelFolder(folder))
        return bool(tokenizer_config.chat_templates(folder, config))
    except ConvergioError:
        return False
