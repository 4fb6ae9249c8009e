"""NVIDIA's GPUs, out of what nvidia-smi prints."""

from __future__ import annotations

from convergio_mlx.platform.hardware.facts import Gpu
from convergio_mlx.platform.hardware.texts import whole

NVIDIA_SMI = (
    "nvidia-smi",
    "--query-gpu=name,memory.total,memory.free,driver_version,compute_cap",
    "--format=csv,noheader,nounits",
)
_MIB = 1 << 20
_FIELDS = 5


def parse_nvidia_smi(text: str) -> tuple[Gpu, ...]:
    """One GPU a line. What a card does not tell is `[N/A]`, as is the memory of those that share
    the machine's. Lines of another shape are nvidia-smi's complaints."""
    gpus = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.rsplit(",", _FIELDS - 1)]
        if len(parts) != _FIELDS:
            continue
        name, total, free, driver, capability = parts
        gpus.append(
            Gpu(
                name=name,
                kind="cuda",
                memory=_mebibytes(total),
                free=_mebibytes(free),
                driver=_known(driver),
                capability=_known(capability),
            )
        )
    return tuple(gpus)


def _mebibytes(text: str) -> int | None:
    number = whole(text)
    return None if number is None else number * _MIB


def _known(text: str) -> str | None:
    return None if text.startswith("[") else text
