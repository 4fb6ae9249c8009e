"""`convergio-mlx models recommend`: what suits this machine, and why."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from convergio_mlx.cli import exits
from convergio_mlx.cli.commands import add_command, add_json, finish, wants_json

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands
    from convergio_mlx.sizing.recommend import Advice


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "recommend",
        "recommend models for this machine",
        "Recommend models for this machine, with reasons: available memory, and whether there is a "
        "GPU. Uses no network.",
    )
    parser.add_argument(
        "--purpose",
        choices=("general", "code", "reasoning", "smallest"),
        metavar="NAME",
        help="general, code, reasoning or smallest (default: one for each)",
    )
    add_json(parser, "the recommendations")
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    from convergio_mlx.cli.output import BOLD, standard_output
    from convergio_mlx.platform.native import native
    from convergio_mlx.sizing.fit import memory_for_models, size
    from convergio_mlx.sizing.recommend import PURPOSES, advise

    found = advise()
    wanted = PURPOSES if given.purpose is None else (given.purpose,)
    best = {name: next((one for one in found if name in one.best_for), None) for name in wanted}
    memory = memory_for_models()
    out = standard_output()
    if wants_json(given):
        answer = {
            "backend": native().backend(),
            "available_bytes": memory.available if memory else None,
            "recommended": {name: one and one.as_json() for name, one in best.items()},
        }
        out.raw(json.dumps(answer, indent=2) + "\n")
    else:
        where = "the CPU" if native().backend() == "cpu" else "the GPU"
        room = f", {size(memory.available)} available" if memory else ""
        out.line(f"For this machine (models run on {where}{room}):")
        out.line()
        for name, one in best.items():
            out.hanging((f"{name:9}  ", BOLD), _said(one) if one else _nearest(name, found))
    if not any(best.values()):
        sys.exit(exits.MODEL)


def _said(advice: Advice) -> str:
    from convergio_mlx.sizing.fit import size

    entry = advice.entry
    return f"{entry.id}: {size(entry.download_bytes or 0)} to download; {advice.why}"


def _nearest(purpose: str, found: list[Advice]) -> str:
    """Why nothing suits a purpose: the first of its models, and what speaks against it."""
    from convergio_mlx.sizing.fit import size

    meant = [
        one
        for one in found
        if one.entry.purpose == purpose or (purpose == "smallest" and one.entry.download_bytes)
    ]
    if not meant:
        return "none: the registry has no such model"
    nearest = min(meant, key=lambda one: one.entry.download_bytes or 0)
    entry = nearest.entry
    return f"none suits; {entry.id} ({size(entry.download_bytes or 0)}): {nearest.why}"
