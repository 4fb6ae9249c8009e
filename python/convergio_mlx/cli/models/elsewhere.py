"""The models that another program has on this machine, as a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convergio_mlx.platform.hardware.facts import Memory
    from convergio_mlx.sizing.fit import Fit
    from convergio_mlx.store import FoundModel
    from convergio_mlx.store.elsewhere.found import Program

_HEAD = ("MODEL", "SIZE", "IMPORT")
_WIDEST_NAME = 36
"""Columns; a longer name pushes the rest of its row to the right."""


def show(program: Program, *, json: bool) -> None:
    """Shows what a program has: name, size, whether it fits or why it cannot be imported."""
    from convergio_mlx import store
    from convergio_mlx.cli.models.shown import write_json
    from convergio_mlx.cli.output import YELLOW, standard_error, standard_output
    from convergio_mlx.cli.waiting import Waiting
    from convergio_mlx.sizing.fit import memory_for_models, size
    from convergio_mlx.store.elsewhere.taking import spoken

    out, err = standard_output(), standard_error()
    with Waiting(err, f"looking at the models of {spoken(program)}"):
        found = store.models_elsewhere(program)
        memory = memory_for_models()
        fits = [_fit(one, memory) for one in found.models]
    if json:
        models = [_as_json(one, fit) for one, fit in zip(found.models, fits, strict=True)]
        folders = [str(folder) for folder in found.folders]
        problems = {"problems": found.problems}
        write_json(out, {"program": program, "folders": folders, "models": models, **problems})
        return
    rows = [
        (one.name, size(one.size_bytes) if one.size_bytes else "-", _said(one, fit))
        for one, fit in zip(found.models, fits, strict=True)
    ]
    if rows:
        first = min(max(len(row[0]) for row in (_HEAD, *rows)), _WIDEST_NAME)
        second = max(len(row[1]) for row in (_HEAD, *rows))
        for name, bytes_of_it, said in (_HEAD, *rows):
            out.hanging(f"{name:{first}}  {bytes_of_it:>{second}}  ", said)
    else:
        where = ", ".join(map(str, found.folders))
        out.line(f"{spoken(program)} has no models here{f' ({where})' if where else ''}.")
    for problem in found.problems:
        err.line(problem, lead="warning: ", style=YELLOW)


def _fit(model: FoundModel, memory: Memory | None) -> Fit | None:
    from convergio_mlx.errors import LoadError
    from convergio_mlx.sizing.fit import Fit, fit_of_folder
    from convergio_mlx.sizing.footprint import footprint

    if model.refusals or memory is None:
        return None
    try:
        if model.config is not None and model.converted_bytes is not None:
            return Fit(footprint(model.config, model.converted_bytes), memory.available)
        return fit_of_folder(model.path, memory)
    except LoadError:
        return None


def _said(model: FoundModel, fit: Fit | None) -> str:
    if model.refusals:
        return f"no: {'; '.join(model.refusals)}"
    how = "yes, converted" if model.kind == "gguf" else "yes"
    return f"{how}; {fit.brief}" if fit else how


def _as_json(model: FoundModel, fit: Fit | None) -> dict[str, Any]:
    return {
        "name": model.name,
        "kind": model.kind,
        "path": str(model.path),
        "size_bytes": model.size_bytes,
        "converted_bytes": model.converted_bytes,
        "importable": not model.refusals,
        "refusals": list(model.refusals),
        "repository": model.repository,
        "revision": model.revision,
        "fit": fit.as_json() if fit else None,
    }
