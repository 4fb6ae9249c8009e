"""This machine, asked."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from convergio_mlx.errors import ConvergioError
from convergio_mlx.platform.hardware import apple, linux, nvidia
from convergio_mlx.platform.hardware.commands import printed
from convergio_mlx.platform.hardware.facts import Gpu, Hardware
from convergio_mlx.platform.hardware.system_memory import memory
from convergio_mlx.platform.hardware.texts import contents


def detect() -> Hardware:
    """Looks at the machine; raises nothing. May take a second or two on a Mac."""
    return _mac() if sys.platform == "darwin" else _linux()


def _mac() -> Hardware:
    chip = apple.parse_sysctl(printed(*apple.SYSCTL))
    gpu = apple.parse_profiler(printed(*apple.PROFILER)) if chip.family else None
    gpus = (Gpu(gpu[0], "metal", cores=gpu[1], memory=chip.working_set),) if gpu else ()
    cores, sets = _engine()
    return Hardware(
        system=f"macOS {chip.macos or platform.mac_ver()[0]}".strip(),
        chip=chip.name,
        machine=platform.machine(),
        cores=chip.performance_cores or cores,
        memory=memory(),
        family=chip.family,
        tier=chip.tier,
        performance_cores=chip.performance_cores,
        efficiency_cores=chip.efficiency_cores,
        gpus=gpus,
        instruction_sets=sets,
    )


def _linux() -> Hardware:
    cores, sets = _engine()
    return Hardware(
        system=f"{platform.system()} {platform.release()}",
        chip=linux.parse_cpuinfo(contents(Path("/proc/cpuinfo"))) or platform.machine(),
        machine=platform.machine(),
        cores=cores,
        memory=memory(),
        gpus=nvidia.parse_nvidia_smi(printed(*nvidia.NVIDIA_SMI)),
        instruction_sets=sets,
    )


def _engine() -> tuple[int, tuple[str, ...]]:
    """The cores and the instruction sets that the engine would use; without it what the system
    says."""
    from convergio_mlx.platform.native import native

    try:
        core = native()
        return core.usable_cores(), tuple(core.isas())
    except ConvergioError:
        affinity = getattr(os, "sched_getaffinity", None)
        return (len(affinity(0)) if affinity else os.cpu_count() or 1), ()
