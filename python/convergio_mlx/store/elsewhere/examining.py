"""Whether a found model can be imported, and why not; reads heads of files alone."""

from __future__ import annotations

import os
from dataclasses import replace

from convergio_mlx.convert.gguf_plan import GgufPlan
from convergio_mlx.convert.gguf_source import GgufSource
from convergio_mlx.errors import ConvergioError, LoadError, StorageError
from convergio_mlx.platform.native import native
from convergio_mlx.store.elsewhere.found import FoundModel
from convergio_mlx.store.names import small_files


def examined(model: FoundModel) -> FoundModel:
    """The model with all that keeps it from being imported."""
    if model.refusals or model.kind == "other":
        return model
    try:
        return _looked_at(model)
    except OSError as error:
        return replace(model, refusals=(f"it cannot be read ({error.strerror or error})",))
    except (LoadError, StorageError) as error:
        said = clause(error).removeprefix(f"{model.path.name}: ")
        said = said.replace(f"{model.path}/", "").replace(str(model.path), "it")
        return replace(model, refusals=(said,))


def _looked_at(model: FoundModel) -> FoundModel:
    if model.kind == "gguf":
        plan = GgufPlan(GgufSource(model.path))
        return replace(
            model,
            refusals=tuple(plan.refusals),
            config=plan.config,
            converted_bytes=plan.most_bytes,
        )
    small_files(os.listdir(model.path), "it")
    native().conversion(os.fsencode(model.path))
    return model


def clause(error: ConvergioError) -> str:
    """What an error says, without its speaker and what would work."""
    text = str(error)
    if text.startswith("["):
        text = text.partition("] ")[2]
    said, _, _ = text.rpartition("; ")
    return said or text.removesuffix(".")
