"""What the system's own programs print."""

from __future__ import annotations

import subprocess

_PATIENCE = 10.0
"""Seconds; system_profiler takes one or two, a wedged nvidia-smi forever."""


def printed(*command: str) -> str:
    """A program's standard output; nothing where it is missing, fails to end or cannot run. What it
    printed before it failed counts: sysctl fails when one of many names is unknown."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", errors="replace")
