"""`convergio-mlx doctor`: what works here, what does not, and why."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from convergio_mlx.cli import exits
from convergio_mlx.cli.commands import add_command, add_json, finish, wants_json
from convergio_mlx.cli.output import GREEN, RED, YELLOW, Stream, standard_error, standard_output
from convergio_mlx.cli.waiting import Waiting

if TYPE_CHECKING:
    from convergio_mlx.cli.commands import Commands
    from convergio_mlx.cli.doctor.checks import Finding

_SIGNS = {"ok": ("ok", GREEN), "warning": ("note", YELLOW), "failure": ("bad", RED)}


def add_to(commands: Commands) -> None:
    """Declares the command."""
    parser = add_command(
        commands,
        "doctor",
        "check what works on this machine",
        "Check what works on this machine and what does not, and why. Uses no network and changes "
        "nothing.",
    )
    add_json(parser, "the findings")
    parser.add_argument(
        "--report",
        metavar="FILE",
        nargs="?",
        const="convergio-mlx-report.json",
        help="write one file to send with a question: versions, chip, self-tests and speed, and "
        "nothing about you (default: convergio-mlx-report.json)",
    )
    finish(parser, _run)


def _run(given: argparse.Namespace) -> None:
    import json

    from convergio_mlx.cli.doctor.checks import examine

    out = standard_output()
    if given.report is not None:
        _write_report(Path(given.report), out)
        return
    findings = []
    with Waiting(standard_error(), "checking this machine") as waiting:
        for finding in examine():
            waiting.done()
            findings.append(finding)
            if not wants_json(given):
                show(finding, out)
    if wants_json(given):
        out.raw(json.dumps([one.as_json() for one in findings], indent=2) + "\n")
    sys.exit(_exit_code(findings))


def _write_report(path: Path, out: Stream) -> None:
    from convergio_mlx.cli.doctor.report import write

    with Waiting(standard_error(), "testing and measuring this machine"):
        write(path)
    out.hanging("", f"{path} has versions, chip, self-tests and speed, and nothing about you.")


def show(finding: Finding, out: Stream) -> None:
    """A finding, for a person."""
    sign, style = _SIGNS[finding.state]
    out.hanging((f"{sign:4}", style), f"  {finding.subject:13}  ", finding.text)
    if finding.remedy:
        out.hanging(" " * 21, f"-> {finding.remedy}")


def _exit_code(findings: list[Finding]) -> int:
    failed = [one for one in findings if one.state == "failure"]
    if any(one.subject == "MLX" for one in failed):
        return exits.UNAVAILABLE
    return exits.FAILURE if failed else exits.OK
