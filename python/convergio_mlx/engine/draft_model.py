"""A smaller model that drafts for another one: whether it can, and which other could."""

from __future__ import annotations

from pathlib import Path

from convergio_mlx.errors import ConvergioError, InvalidRequestError
from convergio_mlx.platform.home import models_folder
from convergio_mlx.sizing.footprint import folder_footprint
from convergio_mlx.store.locate import guide_folder
from convergio_mlx.text.model_folder import ModelFolder, read_bytes
from convergio_mlx.text.tokenizer import Tokenizer

_FILES = ("tokenizer.json", "tokenizer_config.json")
"""What makes a vocabulary."""


def check_vocabulary(model: ModelFolder, draft: ModelFolder) -> None:
    """Refuses a draft model to which a token of the model's tokenizer is another one.

    Args:
        model: the folder of the model that answers.
        draft: that of the one which is to draft for it.

    Raises:
        InvalidRequestError: it says how many tokens differ, and the first of them.
        TokenizerError: a tokenizer is missing or damaged.
    """
    if _same_files(model.path, draft.path):
        return
    wanted = Tokenizer.from_folder(model).vocabulary()
    found = Tokenizer.from_folder(draft).vocabulary()
    differing = wanted.items() - found.items()
    if not differing:
        return
    token, number = min(differing, key=lambda one: one[1])
    there = next((repr(text) for text, place in found.items() if place == number), "nothing")
    raise InvalidRequestError(
        f"[engine] {draft.path.name!r} cannot draft for {model.path.name!r}: {len(differing)} of "
        f"its {len(wanted)} tokens differ, the first is {number}, which is {token!r} and {there} "
        f"in the draft model; {_remedy(model.path)}."
    )


def _same_files(one: Path, other: Path) -> bool:
    return all(read_bytes(one / name) == read_bytes(other / name) for name in _FILES)


def _remedy(model: Path) -> str:
    """What would work: an installed model with the same tokenizer and fewer weights."""
    usual = "give a smaller model with the same tokenizer"
    most = _weights(model) or 0
    smaller = [
        (weights, folder)
        for folder in _installed()
        if (weights := _weights(folder, like=model)) is not None and weights < most
    ]
    if not smaller:
        return f"{usual}, or leave draft_model out"
    return f"{usual}, such as {min(smaller)[1].name!r}, which is installed"


def _installed() -> list[Path]:
    try:
        return [guide_folder(), *models_folder().iterdir()]
    except OSError:  # nothing is, or not readable
        return [guide_folder()]


def _weights(folder: Path, like: Path | None = None) -> int | None:
    """Bytes of a model's weights; None where it is damaged or has not the tokenizer of `like`."""
    try:
        known = folder_footprint(folder)
        if known is None or not (like is None or _same_files(like, folder)):
            return None
    except (ConvergioError, OSError):
        return None
    return known.weights
