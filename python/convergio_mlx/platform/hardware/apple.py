"""Apple silicon, out of what sysctl, system_profiler and vm_stat print."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from convergio_mlx.platform.hardware.commands import printed
from convergio_mlx.platform.hardware.facts import Memory
from convergio_mlx.platform.hardware.texts import whole

SYSCTL = (
    "sysctl",
    "machdep.cpu.brand_string",
    "kern.osproductversion",
    "hw.memsize",
    "hw.physicalcpu",
    "hw.nperflevels",
    "hw.perflevel0.physicalcpu",
    "hw.perflevel1.physicalcpu",
    "iogpu.wired_limit_mb",
)
PROFILER = ("system_profiler", "-json", "SPDisplaysDataType")
VM_STAT = ("vm_stat",)

_CHIP = re.compile(r"Apple (M\d+)(?: (Pro|Max|Ultra))?\b")
_MIB = 1 << 20
_GIB = 1 << 30


@dataclass(frozen=True)
class Chip:
    """What sysctl knows."""

    name: str
    macos: str
    memory: int
    """Bytes of unified memory."""
    family: str | None
    tier: str | None
    performance_cores: int | None
    efficiency_cores: int | None
    working_set: int
    """Bytes that macOS recommends the GPU to use at most."""


def parse_sysctl(text: str) -> Chip:
    """Reads lines of `name: value`; a name that this macOS does not know is not among them."""
    values = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    name = values.get("machdep.cpu.brand_string", "").strip()
    chip = _CHIP.match(name)
    memory = whole(values.get("hw.memsize", "")) or 0
    levels = [whole(values.get(f"hw.perflevel{level}.physicalcpu", "")) for level in (0, 1)]
    return Chip(
        name=name or "unknown processor",
        macos=values.get("kern.osproductversion", "").strip(),
        memory=memory,
        family=chip[1] if chip else None,
        tier=chip[2] if chip else None,
        performance_cores=levels[0] if chip else None,
        efficiency_cores=levels[1] if chip else None,
        working_set=working_set(memory, whole(values.get("iogpu.wired_limit_mb", "")) or 0),
    )


def working_set(memory: int, wired_limit_mib: int) -> int:
    """Bytes that the GPU may wire: what `sysctl iogpu.wired_limit_mb` was set to, else macOS's own
    choice: two thirds of up to 36 GiB, three quarters of more."""
    if wired_limit_mib > 0:
        return min(wired_limit_mib * _MIB, memory)
    return memory * 2 // 3 if memory <= 36 * _GIB else memory * 3 // 4


def lacks_matrix_units(chip: str, system: str) -> bool:
    """Whether the GPU has units for matrices that MLX leaves idle, as this macOS is older than the
    26.2 that MLX's kernels for them need: those of an M5 and later."""
    family = _CHIP.match(chip)
    version = re.match(r"macOS (\d+)(?:\.(\d+))?", system)
    if family is None or version is None or int(family[1][1:]) < 5:
        return False
    return (int(version[1]), int(version[2] or 0)) < (26, 2)


def parse_profiler(text: str) -> tuple[str, int | None] | None:
    """The GPU's name and cores out of `system_profiler -json SPDisplaysDataType`; None without an
    Apple GPU."""
    try:
        displays: Any = json.loads(text)["SPDisplaysDataType"]
        for display in displays:
            name = str(display.get("sppci_model") or display.get("_name", ""))
            if name.startswith("Apple "):
                return name, whole(display.get("sppci_cores", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def parse_vm_stat(text: str) -> int | None:
    """Bytes that can be taken at once, out of `vm_stat`: free pages, and those that hold copies of
    files or what may be dropped."""
    page = re.search(r"page size of (\d+) bytes", text)
    pages = {
        name: int(count) for name, count in re.findall(r"^(.+?):\s+(\d+)\.$", text, re.MULTILINE)
    }
    if page is None or "Pages free" not in pages:
        return None
    names = ("Pages free", "Pages inactive", "Pages speculative", "Pages purgeable")
    return int(page[1]) * sum(pages.get(name, 0) for name in names)


def read_memory() -> Memory:
    """This Mac's memory."""
    total = whole(printed("sysctl", "-n", "hw.memsize")) or 0
    available = parse_vm_stat(printed(*VM_STAT))
    return Memory(total, total if available is None else min(available, total))
