"""Where and of what figures are."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("mlx", "mlx-lm", "llama-cpp-python", "numpy", "transformers")
VARIABLES = ("CONVERGIO_MLX_ISA", "CONVERGIO_MLX_EXACT", "CONVERGIO_MLX_DEVICE", "OMP_PROC_BIND")


@lru_cache
def machine() -> dict[str, Any]:
    """The machine, as far as its figures depend on it."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.machine()}",
        "gpu": _gpu(),
    }


@lru_cache
def versions() -> dict[str, str]:
    """Of Python and of the packages that are compared."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


@lru_cache
def commit() -> str:
    """The checkout's, with "+" where files differ from it."""
    head = _said("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")
    changed = _said("git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no")
    return f"{head or 'unknown'}{'+' if changed else ''}"


def environment() -> dict[str, str]:
    """The variables set that change what the engines do."""
    return {name: os.environ[name] for name in VARIABLES if name in os.environ}


def _processor() -> str:
    if sys.platform == "darwin":
        return _said("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor()
    pairs: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        pairs.setdefault(name.strip(), value.strip())
    name = pairs.get("model name", platform.machine())
    family = [pairs.get(key) for key in ("cpu family", "model", "stepping")]
    return f"{name} ({'/'.join(map(str, family))})" if all(family) else name


def _gpu() -> str | None:
    if sys.platform == "darwin":
        return _processor()
    return _said("nvidia-smi", "--query-gpu=name", "--format=csv,noheader") or None


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
