"""Linux, out of /proc and /sys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from convergio_mlx.platform.hardware.facts import Memory
from convergio_mlx.platform.hardware.texts import contents, whole

_NONE = 1 << 60
"""Bytes; a cgroup v1 without a limit names a number near 2**63."""


def parse_meminfo(text: str) -> dict[str, int]:
    """/proc/meminfo in bytes."""
    found = re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)
    return {name: int(kilobytes) * 1024 for name, kilobytes in found}


def parse_cpuinfo(text: str) -> str | None:
    """The processor's name out of /proc/cpuinfo; arm64 has none, but some boards a model."""
    for field in ("model name", "Model"):
        if found := re.search(rf"^{field}\s*:\s*(.+)$", text, re.MULTILINE):
            return " ".join(found[1].split())
    return None


def read_memory(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> Memory:
    """This machine's memory, or what the tightest control group leaves of it."""
    known = parse_meminfo(contents(proc / "meminfo"))
    total = known.get("MemTotal", 0)
    available = known.get("MemAvailable", known.get("MemFree", 0))
    limited = False
    for limit, used in group_limits(contents(proc / "self" / "cgroup"), groups):
        limited = limited or limit < total
        total = min(total, limit)
        available = min(available, max(limit - used, 0))
    return Memory(total, available, "cgroup" if limited else "machine")


def group_limits(lines: str, root: Path) -> Iterator[tuple[int, int]]:
    """Limit and use in bytes of each control group with a limit that a process is in, out of its
    /proc/self/cgroup. In a container the group's own folder is often not to be seen; then the root
    stands for it."""
    for line in lines.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        base = root / "memory" if controllers else root
        group = base.joinpath(*[part for part in path.split("/") if part not in {"", ".", ".."}])
        for folder in (group, *group.parents):
            found = _limit_v1(folder) if controllers else _limit_v2(folder)
            if found is not None:
                yield found
            if folder == base:
                break


def _limit_v2(folder: Path) -> tuple[int, int] | None:
    return _limit(folder, "memory.max", "memory.current", "")


def _limit_v1(folder: Path) -> tuple[int, int] | None:
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
    return _limit(folder, *names)


def _limit(folder: Path, limit: str, usage: str, prefix: str) -> tuple[int, int] | None:
    """The kernel takes back the pages of files when a group needs them, so they do not count."""
    most = whole(contents(folder / limit))
    if most is None or most >= _NONE:
        return None
    used = whole(contents(folder / usage)) or 0
    pages = rf"^{prefix}(?:in)?active_file (\d+)$"
    files = re.findall(pages, contents(folder / "memory.stat"), re.MULTILINE)
    return most, max(used - sum(map(int, files)), 0)
