"""Importing by another program's name."""

from __future__ import annotations

import re

from convergio_mlx.errors import InvalidRequestError, ModelNotFoundError, UnsupportedModelError
from convergio_mlx.registry import checks, load_registry
from convergio_mlx.store.elsewhere.examining import examined
from convergio_mlx.store.elsewhere.found import Elsewhere, FoundModel, Program
from convergio_mlx.store.elsewhere.hub_cache import hub_cache_models
from convergio_mlx.store.elsewhere.lm_studio import lm_studio_models
from convergio_mlx.store.elsewhere.ollama import ollama_models
from convergio_mlx.store.gguf import plan_gguf
from convergio_mlx.store.importing import Source, install
from convergio_mlx.store.inventory import InstalledModel
from convergio_mlx.store.operation import operation
from convergio_mlx.store.progress import OnProgress

_LOOK = {
    "ollama": ollama_models,
    "lmstudio": lm_studio_models,
    "huggingface": hub_cache_models,
}
_SPOKEN = {"ollama": "Ollama", "lmstudio": "LM Studio", "huggingface": "the Hugging Face cache"}


def spoken(program: Program) -> str:
    """What people call it."""
    return _SPOKEN[program]


@operation("look at the models of another program")
def models_elsewhere(program: Program) -> Elsewhere:
    """The models of another program on this machine, and whether each can be imported. Reads heads
    of files alone, and changes nothing.

    Args:
        program: ollama, lmstudio or huggingface.

    Raises:
        InvalidRequestError: there is no such program.
    """
    found = _look(program)
    found.models = sorted((examined(one) for one in found.models), key=lambda one: one.name)
    return found


@operation("import the model")
def import_from(
    program: Program,
    name: str,
    *,
    model: str | None = None,
    on_progress: OnProgress | None = None,
) -> InstalledModel:
    """Installs a model of another program, whose files stay as they are; they are cloned or linked
    where the file system can.

    Args:
        program: ollama, lmstudio or huggingface.
        name: as `models_elsewhere` has it; of Ollama `:latest` may be left out.
        model: the id to install it under; by default its name in small letters.
        on_progress: told how many bytes are done.

    Raises:
        ModelNotFoundError: the program has no model of that name here.
        UnsupportedModelError: it cannot be imported; all reasons are named.
        ModelCorruptError: a file is missing, cut off, or not what its hash says.
        InvalidRequestError: there is no such program, or the id is taken or cannot be one.
        StorageError: the disk cannot be written.
    """
    found = _named(_look(program), name)
    found = examined(found)
    if found.refusals:
        raise UnsupportedModelError(
            f"[store] {found.name!r} of {spoken(program)} cannot be imported: "
            f"{'; '.join(found.refusals)}; take another model."
        )
    registry = load_registry()
    entry = next((one for one in registry if one.repository == found.repository), None)
    entry = entry if found.repository is not None else None
    source = Source(
        found.path,
        f"{found.name!r} of {spoken(program)}",
        entry,
        found.repository if found.kind == "folder" else None,
        found.revision if found.kind == "folder" else None,
        plan_gguf(found.path) if found.kind == "gguf" else None,
        f"{found.name} of {spoken(program)}",
        found.sha256,
    )
    return install(source, registry, model or (entry.id if entry else _id_of(found)), on_progress)


def _look(program: Program) -> Elsewhere:
    if program not in _LOOK:
        raise InvalidRequestError(
            f"[store] {ascii(program)[:60]} is no program whose models can be imported; give "
            f"{', '.join(_LOOK)}."
        )
    return _LOOK[program]()


def _named(found: Elsewhere, name: str) -> FoundModel:
    for one in found.models:
        if name in (one.name, one.name.removesuffix(":latest")):
            return one
    raise ModelNotFoundError(
        f"[store] {spoken(found.program)} has no model {ascii(name)[:100]} on this machine; "
        f"`convergio-mlx models import --from {found.program}` lists what it has."
    )


def _id_of(found: FoundModel) -> str:
    """An id out of a name: its last part, or both parts of a name with a tag."""
    last = found.name.rpartition("/")[2].removesuffix(":latest").lower()
    plain = re.sub(r"[^a-z0-9._-]+", "-", last.removesuffix(".gguf")).strip("-._")[:64]
    if not checks.is_id(plain):
        raise InvalidRequestError(
            f"[store] the name {ascii(found.name)[:100]} makes no id; give one of small letters, "
            "digits, dots, dashes and underscores with --id."
        )
    return plain
